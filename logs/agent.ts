/** Who asks: image proxies such as GitHub's camo, robots, browsers, tools. */
export const AGENT_CLASSES = ['proxy', 'bot', 'browser', 'tool', 'none', 'other'] as const;
export type AgentClass = (typeof AGENT_CLASSES)[number];

// order matters: robots call themselves Mozilla, and so do image proxies
const CLASSES: readonly (readonly [RegExp, AgentClass])[] = [
  [/camo|imageproxy|image proxy|feedfetcher|via ggpht|cloudflare-always|proxy/i, 'proxy'],
  [
    /bot\b|bot[/_-]|crawl|spider|slurp|archiver|scan|monitor|preview|facebookexternalhit|lighthouse|headless|pingdom|uptime|validator|baidu|yandex|bing|duckduck|semrush|ahrefs/i,
    'bot',
  ],
  [/mozilla|opera|safari|chrome|firefox|msie|trident|konqueror|lynx|links/i, 'browser'],
  [
    /curl|wget|python|requests|aiohttp|httpx|urllib|java|okhttp|go-http|node|undici|axios|got|libwww|perl|ruby|php|powershell|pip|wrk|ab\/|hey/i,
    'tool',
  ],
];
const MAX_REMEMBERED = 20_000;
const remembered = new Map<string, AgentClass>();

/** By the User-Agent alone. Bound: the last MAX_REMEMBERED answers are remembered, then all are forgotten. */
export const agentClass = (agent: string): AgentClass => {
  if (agent === '') return 'none';
  const known = remembered.get(agent);
  if (known) return known;
  if (remembered.size >= MAX_REMEMBERED) remembered.clear();
  const found = CLASSES.find(([regex]) => regex.test(agent))?.[1] ?? 'other';
  remembered.set(agent, found);
  return found;
};
