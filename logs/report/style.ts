/** The page's whole style. Colours are variables, so that drawings follow light and dark; prints on white. */
export const STYLE = `
:root{color-scheme:light dark;--bg:#f6f7f9;--card:#fff;--ink:#1c2230;--soft:#5b6577;--line:#e3e7ee;--accent:#3566d6;--hit:#1f9d82;--updating:#d9a514;--stale:#e0803a;--revalidated:#4b8fe2;--expired:#9a5fd0;--miss:#d94a6a;--bypass:#7c8799;--none:#a6afbd;--bad:#c8323c;--shadow:0 1px 2px rgba(20,28,45,.06),0 4px 16px rgba(20,28,45,.05)}
@media(prefers-color-scheme:dark){:root{--bg:#12151c;--card:#1a1f29;--ink:#e6eaf2;--soft:#98a3b6;--line:#2b3342;--accent:#7ea2ff;--hit:#35bd9d;--updating:#e5bd45;--stale:#f09a58;--revalidated:#6ea8f2;--expired:#b686e6;--miss:#ef6e8b;--bypass:#8d98aa;--none:#6c7789;--bad:#ff6b73;--shadow:none}}
*{box-sizing:border-box}
body{margin:0;background:var(--bg);color:var(--ink);font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif;font-variant-numeric:tabular-nums}
main{max-width:1180px;margin:0 auto;padding:32px 24px 64px}
header{margin-bottom:24px}h1{font-size:26px;line-height:1.2;margin:0 0 6px;letter-spacing:-.01em}
h2{font-size:17px;margin:0 0 2px;letter-spacing:-.005em}h3{font-size:14px;margin:18px 0 6px}
p{margin:4px 0}.sub{color:var(--soft);font-size:13.5px}
section{background:var(--card);border:1px solid var(--line);border-radius:12px;padding:20px 22px;margin:0 0 18px;box-shadow:var(--shadow)}
section>.sub{margin:0 0 12px}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(124px,1fr));gap:12px;margin:0 0 18px}
.tile{background:var(--card);border:1px solid var(--line);border-radius:12px;padding:13px 14px;box-shadow:var(--shadow)}
.tile b{display:block;white-space:nowrap;font-size:22px;font-weight:650;line-height:1.15;letter-spacing:-.02em}
.tile span{display:block;color:var(--soft);font-size:12.5px}.tile.good b{color:var(--hit)}.tile.bad b{color:var(--bad)}
.two{display:grid;grid-template-columns:1fr 1fr;gap:18px}.two>section{min-width:0}
@media(max-width:860px){.two{grid-template-columns:1fr}main{padding:20px 12px}section{padding:16px}}
svg{display:block;width:100%;height:auto;overflow:visible}
svg text{font-size:11.5px;fill:var(--soft)}svg .small{font-size:10.5px;paint-order:stroke;stroke:var(--card);stroke-width:3px;stroke-linejoin:round}svg .value{fill:var(--ink)}
.grid{stroke:var(--line);stroke-width:1}.axis{stroke:var(--soft);stroke-width:1}.mark{stroke:var(--ink);stroke-width:1;stroke-dasharray:3 3;opacity:.55}
.ceiling{stroke:var(--soft);stroke-width:1;stroke-dasharray:1 4}
.area{opacity:.82}.hitline{fill:none;stroke:var(--ink);stroke-width:2;stroke-linejoin:round}.hover{fill:transparent}.hover:hover{fill:var(--ink);opacity:.07}
svg .hitlabel{fill:var(--ink)}svg .misslabel{fill:var(--miss)}svg .timelabel{fill:var(--expired)}svg .stalelabel{fill:var(--stale)}
.fetches{fill:var(--accent);opacity:.55}.timeline{fill:none;stroke:var(--expired);stroke-width:2}.error{fill:var(--bad)}
.band{fill:var(--hit);opacity:.14}.curve{fill:none;stroke:var(--hit);stroke-width:2.5;stroke-linejoin:round}.curve.g1{stroke:var(--updating);stroke-width:2}.curve.g2,.curve.g3{stroke:var(--stale);stroke-width:2}
.poisson{fill:none;stroke:var(--soft);stroke-width:1.2;stroke-dasharray:5 4}.loadcurve{fill:none;stroke:var(--accent);stroke-width:2.5}.stalecurve{fill:none;stroke:var(--stale);stroke-width:2;stroke-dasharray:6 3}
.dot{fill:var(--card);stroke:var(--hit);stroke-width:2}.dot.now{fill:var(--ink);stroke:var(--ink)}
.legend{display:flex;flex-wrap:wrap;gap:4px 16px;margin:10px 0 0;color:var(--soft);font-size:12.5px;padding:0;list-style:none}
.legend i{display:inline-block;width:11px;height:11px;border-radius:3px;margin-right:6px;vertical-align:-1px}
.scroll{overflow-x:auto}table{border-collapse:collapse;width:100%;font-size:13px}
th,td{text-align:left;padding:5px 10px 5px 0;border-bottom:1px solid var(--line);vertical-align:top}tr:last-child>td,tr:last-child>th{border-bottom:0}
th{font-weight:600}tr:first-child>th,thead th{color:var(--soft);font-weight:500;font-size:12.5px;white-space:nowrap}.n{text-align:right;white-space:nowrap}
td.u{word-break:break-all;font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;font-size:12px}
td.bar{position:relative;padding-left:6px}td.bar::before{content:"";position:absolute;inset:4px auto 4px 0;width:var(--w);background:var(--accent);opacity:.16;border-radius:3px}
.heatmap{border-spacing:2px;border-collapse:separate}.heatmap td,.heatmap th{border:0;padding:6px 10px}.heat{background:color-mix(in srgb,var(--c) var(--s),transparent);border-radius:4px;min-width:62px}
tr.now>*{font-weight:700}.tag{display:inline-block;font-size:11px;line-height:1.5;border:1px solid var(--line);border-radius:999px;padding:0 7px;color:var(--soft);margin-left:4px}
details{margin-top:12px;font-size:13px}summary{cursor:pointer;color:var(--accent)}details[open]>summary{margin-bottom:8px}
.multiples{display:grid;grid-template-columns:repeat(auto-fill,minmax(190px,1fr));gap:12px;margin-top:10px}.small-multiple{margin:0;border:1px solid var(--line);border-radius:8px;padding:8px 10px}figcaption{font-size:12px;color:var(--soft);overflow-wrap:anywhere}figcaption b{color:var(--ink)}
ul.notes{margin:6px 0 0;padding-left:18px;color:var(--soft)}ul.notes li{margin:3px 0}
footer{color:var(--soft);font-size:12.5px;text-align:center;margin-top:24px}
@media print{:root{--bg:#fff;--shadow:none}body{font-size:12px}section,.tile{break-inside:avoid;box-shadow:none}main{max-width:none;padding:0}details{display:none}}
`.trim();
