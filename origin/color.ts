/** Names of the shields palette, with its aliases; everything else is a CSS name or hex. */
const PALETTE =
  'brightgreen green yellow yellowgreen orange red blue grey lightgrey gray lightgray critical important success informational inactive blueviolet';
/** CSS Color 4, named colours. */
const CSS =
  'aliceblue antiquewhite aqua aquamarine azure beige bisque black blanchedalmond blueviolet brown burlywood cadetblue chartreuse chocolate coral cornflowerblue cornsilk crimson cyan ' +
  'darkblue darkcyan darkgoldenrod darkgray darkgreen darkgrey darkkhaki darkmagenta darkolivegreen darkorange darkorchid darkred darksalmon darkseagreen darkslateblue darkslategray ' +
  'darkslategrey darkturquoise darkviolet deeppink deepskyblue dimgray dimgrey dodgerblue firebrick floralwhite forestgreen fuchsia gainsboro ghostwhite gold goldenrod greenyellow ' +
  'honeydew hotpink indianred indigo ivory khaki lavender lavenderblush lawngreen lemonchiffon lightblue lightcoral lightcyan lightgoldenrodyellow lightgreen lightpink lightsalmon ' +
  'lightseagreen lightskyblue lightslategray lightslategrey lightsteelblue lightyellow lime limegreen linen magenta maroon mediumaquamarine mediumblue mediumorchid mediumpurple ' +
  'mediumseagreen mediumslateblue mediumspringgreen mediumturquoise mediumvioletred midnightblue mintcream mistyrose moccasin navajowhite navy oldlace olive olivedrab orangered orchid ' +
  'palegoldenrod palegreen paleturquoise palevioletred papayawhip peachpuff peru pink plum powderblue purple rebeccapurple rosybrown royalblue saddlebrown salmon sandybrown seagreen ' +
  'seashell sienna silver skyblue slateblue slategray slategrey snow springgreen steelblue tan teal thistle tomato turquoise violet wheat white whitesmoke';
// A Set, for badge-maker asks `color in {…}`: 'constructor' and 'toString' would come out as fill="undefined".
const NAMES: ReadonlySet<string> = new Set(`${PALETTE} ${CSS}`.split(' '));

/** A colour that badge-maker draws as asked: a known name, or 3 or 6 hex digits with or without `#`; undefined for any other text. */
export const colorOf = (text: string | undefined): string | undefined => {
  if (text === undefined || text.length > 32) return undefined;
  const name = text.trim().toLowerCase();
  if (NAMES.has(name)) return name;
  return /^#?([\da-f]{3}|[\da-f]{6})$/.exec(name)?.[1];
};
