import { makeBadge } from 'badge-maker';
import type { Badge } from '../badge.ts';

/** The SVG of a badge, about a kilobyte. Everything it takes was checked before (badge.ts, color.ts): badge-maker passes control characters and unknown colours on. */
export const drawSvg = ({ label, message, color, labelColor, style }: Badge): string =>
  makeBadge({ label, message, color, style, ...(labelColor === undefined ? {} : { labelColor }) });
