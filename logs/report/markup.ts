import { esc } from './svg.ts';

/** A part of the page under its heading. */
export const section = (title: string, sub: string, body: string): string =>
  `<section><h2>${esc(title)}</h2><p class="sub">${esc(sub)}</p>${body}</section>`;

/** Folded away until it is asked for; nothing where there is nothing to show. */
export const details = (label: string, body: string): string =>
  body === '' ? '' : `<details><summary>${esc(label)}</summary>${body}</details>`;

/** Side by side where there is room. */
export const pair = (...parts: string[]): string => `<div class="two">${parts.join('')}</div>`;
