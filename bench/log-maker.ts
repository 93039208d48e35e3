/**
 * An access log as a badge service would write it, made up but consistent: packages by Zipf's law, a day and a night, image proxies
 * and browsers, a cache with ttl and grace whose hits, stale answers and misses follow from the requests themselves, a change of
 * configuration halfway. The same seed gives the same log.
 */
export interface LogMakerOptions {
  readonly lines: number;
  readonly seed?: number;
  readonly packages?: number;
  readonly hours?: number;
  readonly ttlSeconds?: number;
}

const KINDS = ['version', 'download', 'license', 'format', 'py_versions', 'implementation', 'status', 'wheel'] as const;
const AGENTS = [
  'github-camo (876de43e)', 'github-camo (876de43e)', 'github-camo (876de43e)', 'Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0',
  'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36',
  'Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)', 'curl/8.5.0', 'GitLab-camo',
  'Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)', 'python-requests/2.32.3',
]; // biome-ignore format: a list
const START_MS = Date.UTC(2025, 0, 6);

interface Held {
  readonly storedMs: number;
}

/** Calls `write` with whole lines, about 64 kB at a time. */
export const makeLog = (options: LogMakerOptions, write: (text: string) => void): void => {
  const { lines, packages = 4000, hours = 30 } = options;
  const random = randomFrom(options.seed ?? 1);
  const gauss = () => random() + random() + random() - 1.5;
  const cache = new Map<string, Held>();
  let ttl = options.ttlSeconds ?? 1800;
  let cfg = '77ab01ce';
  const config = (now: number, prev: string) =>
    `{"level":30,"time":${Math.round(now)},"type":"config","cfg":"${cfg}"${prev === '' ? '' : `,"prev":"${prev}"`},"config":{"rules":[{"name":"{kind}","match":"/{kind}/{package}/badge.{ext}","ttl":${ttl * 1000},"grace":600000,"errorTtl":30000,"query":["style"]}]}}\n`;
  const meanGap = (hours * 3_600_000) / lines;
  let now = START_MS;
  let text = config(now, '');
  let n = 1;
  let changed = false;
  while (n < lines) {
    const day = 1 + 0.6 * Math.sin(((now % 86_400_000) / 86_400_000) * 2 * Math.PI - 2);
    now += (-Math.log(1 - random()) * meanGap) / day;
    if (!changed && n > lines / 2) {
      changed = true;
      const prev = cfg;
      ttl = ttl * 2;
      cfg = '9f2c41d0';
      text += config(now, prev);
      n++;
    }
    const kind = KINDS[Math.min(KINDS.length - 1, Math.floor(random() ** 1.7 * KINDS.length))]!;
    const name = `pkg-${Math.floor(packages * random() ** 9)}`;
    const url = `/${kind}/${name}/badge.svg${random() < 0.3 ? '?style=flat-square' : ''}`;
    const missing = name.endsWith('77');
    const id = `01J${n.toString(36).toUpperCase().padStart(6, '0')}`;
    const held = cache.get(url);
    const age = held ? (now - held.storedMs) / 1000 : 0;
    const life = missing ? 30 : ttl;
    const isUnderWay = held !== undefined && age < 0;
    const key = keyHex(url);
    const tail = (us: number, status: number, bytes: number, cachePart: string) =>
      `{"level":${status >= 500 ? 50 : 30},"time":${Math.round(now + us / 1000)},"type":"access","cfg":"${cfg}","start":${now.toFixed(3)},"us":${us},` +
      `"req":{"id":"${id}","method":"GET","url":"${url}","host":"badges.example","httpVersion":"HTTP/1.1","remoteAddress":"203.0.${n % 113}.0",` +
      `"headers":{"user-agent":"${AGENTS[Math.floor(random() ** 2 * AGENTS.length)]}","referer":"https://github.com/org-${name.length * 7}/${name}"}},"res":{"statusCode":${status},"bytes":${bytes}},"route":"${kind}","package":"${name}",${cachePart}}\n`;
    const bytes = missing ? 940 : 1000 + ((name.length * 37) % 240);
    if (isUnderWay) {
      const us = Math.round(-age * 1e6) + 100;
      text += tail(
        us,
        missing ? 404 : 200,
        bytes,
        `"cache":{"status":"MISS","tier":"origin","key":"${key}","fwd":"uri-miss","why":"first-seen","ttl":${life},"collapsed":true,"waitUs":${us}}`,
      );
    } else if (held && age < life) {
      const memory = random() < 0.8;
      text += tail(
        Math.round((memory ? 90 : 240) * Math.exp(gauss() * 0.7)),
        missing ? 404 : 200,
        bytes,
        `"cache":{"status":"HIT","tier":"${memory ? 'memory' : 'lmdb'}","key":"${key}","ttl":${life},"age":${Math.floor(age)}}`,
      );
    } else {
      const failed = random() < 0.002 + (Math.abs(now - START_MS - hours * 1_500_000) < 900_000 ? 0.25 : 0);
      const us = Math.round(68_000 * Math.exp(gauss() * 0.9) * (kind === 'download' ? 2.2 : 1));
      const changedBody =
        random() < 1 - Math.exp(-age / (kind === 'version' ? 500_000 : kind === 'download' ? 90_000 : 5_000_000));
      const origin = `"origin":{"us":${us},"ttfbUs":${us - 300},"statusCode":${failed ? 502 : missing ? 404 : 200},"bytes":${bytes},"attempts":1,"host":"127.0.0.1:8081"${failed ? ',"error":"timeout"' : ''}${held && !failed ? `,"changed":${changedBody}` : ''}}`;
      if (held && !missing && age < life + 600) {
        text += tail(
          Math.round(110 * Math.exp(gauss() * 0.7)),
          200,
          bytes,
          `"cache":{"status":"STALE","tier":"memory","key":"${key}","why":"expired","ttl":${life},"age":${Math.floor(age)}}`,
        );
        text += `{"level":30,"time":${Math.round(now + us / 1000)},"type":"refresh","cfg":"${cfg}","start":${now.toFixed(3)},"us":${us},"parent":"${id}","req":{"method":"GET","url":"${url}","host":"badges.example"},"route":"${kind}","package":"${name}","cache":{"stored":${!failed},"key":"${key}"},${origin}}\n`;
        n++;
      } else {
        text += tail(
          us + 150,
          failed ? 502 : missing ? 404 : 200,
          bytes,
          `"cache":{"status":"${held ? 'EXPIRED' : 'MISS'}","tier":"origin","key":"${key}","fwd":"${held ? 'stale' : 'uri-miss'}","why":"${held ? (missing ? 'negative-expired' : 'expired') : 'first-seen'}","ttl":${life}${failed ? '' : ',"stored":true'}},${origin}`,
        );
      }
      if (!failed) cache.set(url, { storedMs: now + us / 1000 });
    }
    n++;
    if (text.length > 1 << 16) {
      write(text);
      text = '';
    }
  }
  write(text);
};

/** mulberry32. */
const randomFrom = (seed: number) => () => {
  seed = (seed + 0x6d2b79f5) | 0;
  let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
};

const keyHex = (url: string): string => {
  let [a, b] = [0x811c9dc5, 0x9e3779b9];
  for (let i = 0; i < url.length; i++) {
    a = Math.imul(a ^ url.charCodeAt(i), 0x01000193);
    b = Math.imul(b ^ url.charCodeAt(i), 0x85ebca6b);
  }
  return (a >>> 0).toString(16).padStart(8, '0') + (b >>> 0).toString(16).padStart(8, '0');
};
