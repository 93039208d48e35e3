import { z } from 'zod';
import { configSchema } from './schema.ts';

/** The part of JSON Schema (draft 2020-12) that zod writes for the configuration. */
export interface JsonSchema {
  readonly type?: string | readonly string[];
  readonly description?: string;
  readonly default?: unknown;
  readonly format?: string;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean | JsonSchema;
  readonly items?: JsonSchema;
  readonly anyOf?: readonly JsonSchema[];
  /** Ours: never shown, never logged. */
  readonly secret?: boolean;
}

let made: JsonSchema | undefined;

/** The schema of what a person writes (before defaults and units); made once. */
export const configJsonSchema = (): JsonSchema => {
  made ??= z.toJSONSchema(configSchema, { io: 'input' }) as JsonSchema;
  return made;
};
