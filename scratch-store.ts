import { variantMatches } from './proxy/policy/vary.ts';
import { createHash } from 'node:crypto';
export const openMemory = (variants = 16): any => {
  const m = new Map<string, any[]>(); const purged = new Map<string, number>(); let epoch = 0; const whys = new Map<string, string>();
  const id = (e: any) => JSON.stringify(e.vary);
  let last = 'first-seen';
  const store = {
    get(key: any, r: any) { const l = m.get(key.text); if (!l) { last = whys.get(key.text) ?? 'first-seen'; return undefined; } const f = l.find((e) => variantMatches(e.vary, r)); if (!f) last = 'vary'; return f; },
    tierOf: () => 'memory', why: () => last, bytes: (f: any) => f.body.bytes.length > 65536 ? 'large' : f.body.bytes, read: async (f: any, s: number, e: number) => f.body.bytes.subarray(s, e),
    beginFill: (_key: any) => ({ begun: epoch }),
    newBody() { let b = Buffer.alloc(0); return { write: (c: Buffer) => { b = Buffer.concat([b, c]); return true; }, drained: async () => {}, get length() { return b.length; }, read: (s: number, e: number) => b.subarray(s, e), finish: () => ({ kind: 'inline', bytes: b }), abort() {}, release() {} }; },
    async put(key: any, entry: any, token: any) { if ((purged.get(key.text) ?? -1) >= token.begun && purged.has(key.text)) return 'purged'; const l = (m.get(key.text) ?? []).filter((e) => id(e) !== id(entry)); l.push({ ...entry, __target: key.target }); while (l.length > variants) l.shift(); m.set(key.text, l); return 'stored'; },
    shield: (k: string) => shields.get(k), async putShield(k: string, s: any, body: Buffer, forms: any[]) { const sh = { ...s, forms: [{ coding: 'identity', etag: s.etag, length: body.length, body: { kind: 'inline', bytes: body } }, ...forms.map((f) => ({ coding: f.coding, etag: f.etag, length: f.bytes.length, body: { kind: 'inline', bytes: f.bytes } }))] }; shields.set(k, sh); return sh; },
    isCurrent: (key: any, token: any) => !(purged.has(key.text) && purged.get(key.text)! >= token.begun),
    async purge(what: any, o: any) { epoch++; let count = 0; const hit = (k: string, e: any) => what.key ? k === what.key.text : what.tag !== undefined ? e.tags.includes(what.tag) : k.includes(`:${what.host}`) && e.__target.startsWith(what.prefix);
      if (what.key) { purged.set(what.key.text, epoch - 1); }
      if (what.prefix) for (const k of [...m.keys()]) void k;
      for (const [k, l] of [...m]) { const keep = l.filter((e) => !hit(k, e)); const gone = l.length - keep.length; if (!gone) continue; count += gone; if (o.dryRun) continue; if (o.soft) m.set(k, l.map((e) => hit(k, e) ? { ...e, purgedAtMs: e.purgedAtMs ?? now() } : e)); else { whys.set(k, 'purged'); purged.set(k, epoch - 1); if (keep.length) m.set(k, keep); else m.delete(k); } }
      return { id: 'x', count, soft: o.soft, dryRun: o.dryRun }; },
    lease: async () => true, release() {}, onceReleased: () => () => {}, stats: () => ({}), close: async () => {}, setNow: (f: () => number) => { now = f; },
  };
  let now = Date.now; const shields = new Map<string, any>(); void createHash;
  return store;
};
