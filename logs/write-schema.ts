import { writeFileSync } from 'node:fs';
import { recordJsonSchema } from './record.ts';

/** `npm run schema:logs`, from the root of a checkout: the JSON Schema beside the source it is made from. */
writeFileSync('logs/record.schema.json', `${JSON.stringify(recordJsonSchema(), null, 2)}\n`);
