import type { Downloads, Project } from './project.ts';

/** A project as read back from a lookup store; undefined unless every field has its type. */
export const parseStoredProject = (value: unknown): Project | undefined => {
  if (!isObject(value)) return undefined;
  const { name, version, license, licenseExpression, classifiers, requiresPython, yanked, fileTypes } = value;
  if (!isText(name) || !isText(version) || !isText(license) || !isText(licenseExpression) || !isText(requiresPython))
    return undefined;
  if (!isTexts(classifiers) || typeof yanked !== 'boolean' || !(fileTypes === undefined || isTexts(fileTypes)))
    return undefined;
  return {
    name,
    version,
    license,
    licenseExpression,
    classifiers,
    requiresPython,
    yanked,
    fileTypes,
    downloads: parseStoredDownloads(value.downloads),
  };
};

export const parseStoredDownloads = (value: unknown): Downloads | undefined => {
  if (!isObject(value)) return undefined;
  const { day, week, month } = value;
  return isCount(day) && isCount(week) && isCount(month) ? { day, week, month } : undefined;
};

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null;
const isText = (value: unknown): value is string => typeof value === 'string' && value.length <= 4096;
const isTexts = (value: unknown): value is readonly string[] =>
  Array.isArray(value) && value.length <= 1000 && value.every(isText);
const isCount = (value: unknown): value is number => typeof value === 'number' && Number.isFinite(value) && value >= 0;
