import { agentClass } from './agent.ts';
import type { Row } from './row.ts';

export const EXPORTS = ['combined', 'ecs', 'otel', 'csv'] as const;
export type Export = (typeof EXPORTS)[number];

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** nginx's escape=default: quotes, backslashes, and all that is no printable ASCII as \xNN of its UTF-8 bytes. */
const logText = (text: string): string => {
  if (text === '') return '-';
  if (/^[\x20-\x21\x23-\x5b\x5d-\x7e]*$/.test(text)) return text;
  return [...Buffer.from(text)]
    .map((byte) =>
      byte < 0x20 || byte > 0x7e || byte === 0x22 || byte === 0x5c
        ? `\\x${byte.toString(16).toUpperCase().padStart(2, '0')}`
        : String.fromCharCode(byte),
    )
    .join('');
};

const combinedLine = (row: Row): string => {
  const date = new Date(row.startMs);
  const two = (n: number) => String(n).padStart(2, '0');
  const time = `${two(date.getUTCDate())}/${MONTHS[date.getUTCMonth()]}/${date.getUTCFullYear()}:${two(date.getUTCHours())}:${two(date.getUTCMinutes())}:${two(date.getUTCSeconds())} +0000`;
  const request = `${logText(row.method)} ${logText(row.url)} ${logText(row.httpVersion || 'HTTP/1.1')}`;
  return `${row.remoteAddress || '-'} - - [${time}] "${request}" ${row.status} ${row.bytes} "${logText(row.referer)}" "${logText(row.agent)}" ${row.cacheStatus || '-'}`;
};

/** Members that are absent in the row are left out. */
const given = (members: Record<string, unknown>): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(members).filter(
      ([, value]) =>
        value !== undefined && value !== '' && !(typeof value === 'number' && (value < 0 || Number.isNaN(value))),
    ),
  );

/** Elastic Common Schema 8, dotted names as ingest pipelines take them. Durations there are nanoseconds. */
const ecs = (row: Row): Record<string, unknown> => {
  const [path, query] = split(row.url);
  return given({
    '@timestamp': new Date(row.startMs).toISOString(),
    'ecs.version': '8.11.0',
    'event.kind': 'event',
    'event.category': ['web'],
    'event.dataset': row.type === 'refresh' ? 'lacquer.refresh' : 'lacquer.access',
    'event.duration': row.us >= 0 ? row.us * 1000 : undefined,
    'event.outcome': row.type === 'refresh' ? undefined : row.status >= 500 ? 'failure' : 'success',
    'http.version': row.httpVersion.replace('HTTP/', ''),
    'http.request.id': row.id,
    'http.request.method': row.method,
    'http.request.referrer': row.referer,
    'http.response.status_code': row.status > 0 ? row.status : undefined,
    'http.response.body.bytes': row.bytes,
    'http.response.mime_type': row.contentType,
    'url.path': path,
    'url.query': query,
    'url.domain': row.host,
    'client.ip': row.remoteAddress,
    'user_agent.original': row.agent,
    labels: given({
      route: row.route,
      package: row.package,
      cfg: row.cfg,
      cache_status: row.cacheStatus,
      cache_fwd: row.fwd,
      cache_why: row.why,
      cache_tier: row.tier,
      cache_key: row.key,
      agent_class: agentClass(row.agent),
    }),
    numeric_labels: given({
      cache_ttl: row.ttlSeconds,
      cache_age: row.ageSeconds,
      origin_us: row.originUs,
      origin_status: row.originStatus,
    }),
  });
};

/** An OTLP/JSON log record (logs data model, HTTP semantic conventions); cache.* are our own, there are none to follow. */
const otel = (row: Row): Record<string, unknown> => {
  const [path, query] = split(row.url);
  const attributes = given({
    'http.request.method': row.method,
    'http.response.status_code': row.status > 0 ? row.status : undefined,
    'http.response.body.size': row.bytes,
    'http.response.header.content-type': row.contentType,
    'http.request.header.referer': row.referer,
    'http.route': row.route,
    'url.path': path,
    'url.query': query,
    'server.address': row.host,
    'client.address': row.remoteAddress,
    'network.protocol.name': 'http',
    'network.protocol.version': row.httpVersion.replace('HTTP/', ''),
    'user_agent.original': row.agent,
    'user_agent.synthetic.type': agentClass(row.agent) === 'bot' ? 'bot' : undefined,
    'error.type': row.originError || (row.status >= 500 ? String(row.status) : undefined),
    'request.duration_us': row.us,
    'cache.status': row.cacheStatus,
    'cache.fwd': row.fwd,
    'cache.why': row.why,
    'cache.tier': row.tier,
    'cache.key': row.key,
    'cache.ttl': row.ttlSeconds,
    'cache.age': row.ageSeconds,
    'cache.stored': row.stored || undefined,
    'cache.collapsed': row.collapsed || undefined,
    'origin.duration_us': row.originUs,
    'lacquer.request.id': row.id || row.parent,
    'lacquer.package': row.package,
    'lacquer.cfg': row.cfg,
  });
  return {
    timeUnixNano: `${Math.round(row.startMs * 1000)}000`,
    severityNumber: row.status >= 500 ? 17 : 9,
    severityText: row.status >= 500 ? 'ERROR' : 'INFO',
    body: { stringValue: row.type === 'refresh' ? `refresh ${row.url}` : `${row.method} ${row.url} ${row.status}` },
    attributes: Object.entries(attributes).map(([key, value]) => ({
      key,
      value:
        typeof value === 'number'
          ? Number.isInteger(value)
            ? { intValue: String(value) }
            : { doubleValue: value }
          : typeof value === 'boolean'
            ? { boolValue: value }
            : { stringValue: String(value) },
    })),
  };
};

const split = (url: string): [string, string | undefined] => {
  const mark = url.indexOf('?');
  return mark < 0 ? [url, undefined] : [url.slice(0, mark), url.slice(mark + 1)];
};

const COLUMNS = [
  'type', 'startMs', 'us', 'method', 'url', 'host', 'status', 'bytes', 'route', 'package', 'cacheStatus', 'fwd', 'why', 'tier', 'key',
  'ttlSeconds', 'ageSeconds', 'stored', 'collapsed', 'waitUs', 'originUs', 'originStatus', 'originBytes', 'changed', 'remoteAddress',
  'agent', 'referer', 'cfg', 'id',
] as const satisfies readonly (keyof Row)[]; // biome-ignore format: the columns

/** RFC 4180; a cell a spreadsheet would run as a formula gets a quote in front. Absent numbers are empty. */
const csvLine = (row: Row): string =>
  COLUMNS.map((name) => {
    const value = row[name];
    if (typeof value === 'number') return value < 0 || Number.isNaN(value) ? '' : String(value);
    if (typeof value === 'boolean') return value ? '1' : '';
    const text = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  }).join(',');

/** One line in another format, without its newline; undefined where the row has no place in it. */
export const exporters: Record<Export, { readonly head: string; readonly line: (row: Row) => string | undefined }> = {
  combined: { head: '', line: (row) => (row.type === 'access' ? combinedLine(row) : undefined) },
  ecs: { head: '', line: (row) => (row.type === 'config' ? undefined : JSON.stringify(ecs(row))) },
  otel: { head: '', line: (row) => (row.type === 'config' ? undefined : JSON.stringify(otel(row))) },
  csv: { head: COLUMNS.join(','), line: (row) => (row.type === 'config' ? undefined : csvLine(row)) },
};
