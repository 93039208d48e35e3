import { createRequire } from 'node:module';
import { parentPort } from 'node:worker_threads';
import { Resvg } from '@resvg/resvg-js';
import sharp from 'sharp';
import type { RasterJob, RasterReply } from './raster-pool.ts';

/** Of any picture, whatever the text and scale. */
const MAX_WIDTH = 2_000;
const fonts = createRequire(import.meta.url);
const FONT_FILES = ['DejaVuSans.ttf', 'DejaVuSans-Bold.ttf'].map((file) =>
  fonts.resolve(`dejavu-fonts-ttf/ttf/${file}`),
);

sharp.cache(false);
sharp.concurrency(1);

/** SVG to pixels by resvg with the fonts named, never those of the system; then to the format by sharp, which never sees SVG. */
const draw = async ({ svg, format, scale }: RasterJob): Promise<Uint8Array> => {
  const font = {
    loadSystemFonts: false,
    fontFiles: FONT_FILES,
    defaultFontFamily: 'DejaVu Sans',
    sansSerifFamily: 'DejaVu Sans',
  };
  const natural = new Resvg(svg, { font });
  const width = Math.min(MAX_WIDTH, Math.ceil(natural.width * scale));
  const image = new Resvg(svg, { font, fitTo: { mode: 'width', value: width } }).render();
  const png = image.asPng();
  if (format === 'png') return png;
  // from the PNG, not from resvg's raw pixels: as premultiplied input they end as unreadable floats in TIFF (sharp 0.35.5)
  const pixels = sharp(png);
  switch (format) {
    case 'jpeg':
      return pixels.flatten({ background: '#fff' }).jpeg({ quality: 90, chromaSubsampling: '4:4:4' }).toBuffer();
    case 'gif':
      return pixels.gif().toBuffer();
    case 'tiff':
      return pixels.tiff({ compression: 'lzw' }).toBuffer();
    case 'webp':
      return pixels.webp({ lossless: true }).toBuffer();
  }
};

parentPort?.on('message', (job: RasterJob) => {
  draw(job).then(
    (bytes) => parentPort?.postMessage({ bytes } satisfies RasterReply),
    (error: unknown) =>
      parentPort?.postMessage({
        error: error instanceof Error ? error.message : 'unknown failure',
      } satisfies RasterReply),
  );
});
