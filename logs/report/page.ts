import { momentText } from '../text.ts';
import { dataPart, forecastPart, notesPart, originPart } from './origin-parts.ts';
import type { ReportInput } from './report-input.ts';
import { STYLE } from './style.ts';
import { esc } from './svg.ts';
import {
  ageAndReferers,
  headerPart,
  latencyPart,
  missesPart,
  routesPart,
  tiles,
  timePart,
  whyAndAgents,
} from './traffic-parts.ts';

/** The whole report as one HTML file: no script is needed to read it, nothing is loaded. */
export const reportPage = (input: ReportInput): string => {
  const { summary: s, forecast } = input;
  const parts = [headerPart(input), tiles(input)];
  if (s.stretches.length > 0) parts.push(timePart(s));
  if (input.latencies.hits.count + input.latencies.misses.count > 0) parts.push(latencyPart(input));
  parts.push(whyAndAgents(s), missesPart(input), routesPart(s), originPart(input), ageAndReferers(input));
  if (forecast && forecast.requests > 0) parts.push(forecastPart(forecast));
  parts.push(notesPart(input), dataPart(input));
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
<title>${esc(input.title)}</title><style>${STYLE}</style></head>
<body><main>${parts.filter(Boolean).join('\n')}
<footer>Written by lacquer logs report, ${momentText(input.generatedMs)}. Times are UTC.</footer></main></body></html>
`;
};
