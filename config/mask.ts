import { configJsonSchema, type JsonSchema } from './json-schema.ts';
import type { Config } from './schema.ts';
import { alternatives } from './schema-at.ts';

const HIDDEN = '(hidden)';

/** The configuration as it may be shown: secrets (schema `secret`) hidden; of a URL only its credentials. */
export const maskSecrets = (config: Config): unknown => masked(config, [configJsonSchema()]);

const masked = (value: unknown, schemas: readonly JsonSchema[]): unknown => {
  if (typeof value === 'string') return schemas.some((schema) => schema.secret) ? hidden(value) : value;
  if (typeof value !== 'object' || value === null) return value;
  const inner = schemas.flatMap(alternatives);
  if (Array.isArray(value))
    return value.map((item: unknown) =>
      masked(
        item,
        inner.flatMap((schema) => schema.items ?? []),
      ),
    );
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [
      key,
      masked(
        item,
        inner.flatMap((schema) => schema.properties?.[key] ?? []),
      ),
    ]),
  );
};

const hidden = (value: string): string => {
  if (!URL.canParse(value)) return HIDDEN;
  const url = new URL(value);
  // redis:// and unix: addresses say where, which is no secret; user, password and parameters may be.
  if (url.username) url.username = 'hidden';
  if (url.password) url.password = 'hidden';
  url.search = '';
  return url.href;
};
