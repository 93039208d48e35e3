// In memory only: stands in until the store on disk is there.
import { createHash } from 'node:crypto';
import type { Body, Entry, Form } from '../entry.ts';
import { variantMatches } from '../policy/vary.ts';
import type { Shield, Store } from './store.ts';
export const openStore = async (_o: any): Promise<Store> => {
  const map = new Map<string, Entry[]>();
  const purged = new Map<string, number>();
  let n = 0;
  const seen = new Set<string>();
  const shields = new Map<string, Shield>();
  return {
    get: (k, r) => map.get(k.text)?.find((e) => variantMatches(e.vary, r)),
    tierOf: () => 'memory',
    why: (k) => (map.has(k.text) ? 'vary' : seen.has(k.text) ? 'evicted' : 'first-seen'),
    bytes: (f) => (f.body.kind === 'inline' ? (f.body.bytes.length > 65536 ? 'large' : f.body.bytes) : 'missing'),
    read: async (f, s, e) => (f.body as any).bytes.subarray(s, e),
    beginFill: () => ({ begun: ++n }),
    isCurrent: (k, t) => (purged.get(k.text) ?? 0) < t.begun,
    newBody: () => {
      let b: Buffer[] = [];
      let len = 0;
      return {
        write(c) {
          b.push(c);
          len += c.length;
          return true;
        },
        drained: async () => {},
        get length() {
          return len;
        },
        read(s, e) {
          if (b.length !== 1) b = [Buffer.concat(b)];
          return b[0]!.subarray(s, e);
        },
        finish(): Body {
          return { kind: 'inline', bytes: Buffer.concat(b) };
        },
        abort() {},
        release() {},
      };
    },
    async put(k, e, t) {
      if ((purged.get(k.text) ?? 0) >= t.begun) return 'purged';
      seen.add(k.text);
      const l = (map.get(k.text) ?? []).filter((x) => JSON.stringify(x.vary) !== JSON.stringify(e.vary));
      map.set(k.text, [e, ...l]);
      return 'stored';
    },
    shield: (c) => shields.get(c),
    async putShield(c, s, body, forms) {
      const f: Form[] = [
        { coding: 'identity', etag: s.etag, length: body.length, body: { kind: 'inline', bytes: body } },
        ...forms.map((x) => ({
          coding: x.coding,
          etag: x.etag,
          length: x.bytes.length,
          body: { kind: 'inline' as const, bytes: x.bytes },
        })),
      ];
      const sh = { ...s, forms: f };
      shields.set(c, sh);
      return sh;
    },
    async purge(w: any, o) {
      const c = map.get(w.key.text)?.length ?? 0;
      if (!o.dryRun) {
        purged.set(w.key.text, ++n);
        map.delete(w.key.text);
      }
      return { id: 'x', count: c, soft: o.soft, dryRun: o.dryRun };
    },
    lease: async () => true,
    release() {},
    onceReleased: () => () => {},
    stats: () => ({}),
    close: async () => {},
  };
};
void createHash;
