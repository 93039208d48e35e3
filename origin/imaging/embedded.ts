import type { Imaging } from './imaging.ts';
import type { RasterPool } from './raster-pool.ts';
import { drawSvg } from './svg.ts';

/** Draws here: SVG at once; rasters in threads, which (with resvg and sharp) are loaded when the first one is asked for. */
export const embeddedImaging = (workers: number, queue: number): Imaging => {
  let pool: Promise<RasterPool> | undefined;
  const loadPool = async () => {
    const { RasterPool: Pool } = await import('./raster-pool.ts');
    return new Pool(workers, queue);
  };
  return {
    draw: async ({ badge, format, scale }, patienceMs) => {
      const svg = drawSvg(badge);
      if (format === 'svg') return Buffer.from(svg);
      pool ??= loadPool();
      return (await pool).draw({ svg, format, scale }, patienceMs);
    },
    close: async () => (await pool)?.close(),
  };
};
