#!/usr/bin/env node
// The command line itself is TypeScript; `npm ci` builds it into dist/ (package.json, "prepare").
import { existsSync } from 'node:fs';

const main = new URL('../dist/cli/main.js', import.meta.url);
if (!existsSync(main)) {
  process.stderr.write('lacquer: dist/cli/main.js is missing; build it with: npm run build\n');
  process.exit(2);
}
await import(main.href);
