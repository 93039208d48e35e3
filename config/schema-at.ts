import { configJsonSchema, type JsonSchema } from './json-schema.ts';

/** A schema, or each of the alternatives it allows. */
export const alternatives = (schema: JsonSchema): JsonSchema[] =>
  schema.anyOf ? schema.anyOf.flatMap(alternatives) : [schema];

/** The schemas that may hold at a path of the configuration; places in a list as numbers or digits. */
export const schemasAt = (path: readonly (string | number)[]): JsonSchema[] => at(path).flatMap(alternatives);

/** What the key at a path is for. */
export const meaningAt = (path: readonly (string | number)[]): string | undefined =>
  at(path).find(({ description }) => description !== undefined)?.description;

const at = (path: readonly (string | number)[]): JsonSchema[] =>
  path.reduce<JsonSchema[]>(
    (schemas, key) => schemas.flatMap(alternatives).flatMap((schema) => stepInto(schema, key)),
    [configJsonSchema()],
  );

const stepInto = (schema: JsonSchema, key: string | number): JsonSchema[] => {
  const property = schema.properties?.[key];
  if (property) return [property];
  return schema.items && /^\d+$/.test(String(key)) ? [schema.items] : [];
};
