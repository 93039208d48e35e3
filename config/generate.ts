import { writeFileSync } from 'node:fs';
import { configJsonSchema } from './json-schema.ts';
import { packageFile } from './package-root.ts';
import { referencePage } from './reference.ts';

/** What is made from config/schema.ts and committed, by path in the repository. */
export const generatedFiles = (): Record<string, string> => ({
  'config/schema.json': `${JSON.stringify(configJsonSchema(), null, 2)}\n`,
  'docs/configuration.md': referencePage(configJsonSchema()),
});

if (process.argv[1]?.endsWith('generate.js'))
  for (const [path, text] of Object.entries(generatedFiles())) writeFileSync(packageFile(path), text);
