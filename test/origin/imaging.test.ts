import { readFileSync } from 'node:fs';
import sharp from 'sharp';
import t from 'tap';
import type { Badge, Format } from '../../origin/badge.ts';
import { contentUri } from '../../origin/content-uri.ts';
import { embeddedImaging } from '../../origin/imaging/embedded.ts';
import { RasterPool } from '../../origin/imaging/raster-pool.ts';
import { remoteImaging } from '../../origin/imaging/remote.ts';
import { drawSvg } from '../../origin/imaging/svg.ts';
import { start } from './start.ts';

const BADGE: Badge = {
  label: 'license',
  message: 'Apache 2.0',
  color: 'blue',
  labelColor: undefined,
  style: 'flat-square',
};
const FORMATS: readonly Exclude<Format, 'svg'>[] = ['png', 'jpeg', 'gif', 'tiff', 'webp'];

interface Pixels {
  readonly width: number;
  readonly height: number;
  at(x: number, y: number): readonly [number, number, number];
  /** Share of pixels of a region that are near a colour. */
  share(color: readonly [number, number, number], left: number, right: number): number;
}

const pixelsOf = async (image: Buffer, format: Format): Promise<Pixels> => {
  const picture = sharp(image);
  t.equal((await picture.metadata()).format, format);
  const { data, info } = await picture
    .flatten({ background: '#fff' })
    .removeAlpha()
    .raw()
    .toBuffer({ resolveWithObject: true });
  const at = (x: number, y: number) =>
    [...data.subarray((y * info.width + x) * info.channels, (y * info.width + x) * info.channels + 3)] as [
      number,
      number,
      number,
    ];
  return {
    width: info.width,
    height: info.height,
    at,
    share: (color, left, right) => {
      let near = 0;
      for (let y = 0; y < info.height; y++) {
        for (let x = left; x < right; x++) if (at(x, y).every((value, i) => Math.abs(value - color[i]!) < 40)) near++;
      }
      return near / ((right - left) * info.height);
    },
  };
};

const WHITE = [255, 255, 255] as const;
const BLUE = [0x00, 0x7e, 0xc6] as const;
const GREY = [0x55, 0x55, 0x55] as const;

t.test('SVG is drawn without loading what rasters need', async (t) => {
  // sharp is loaded by this test itself; resvg only by the threads
  const loaded = () => /resvg/.test(readFileSync('/proc/self/maps', 'utf8'));
  const imaging = embeddedImaging(1, 8);
  t.teardown(() => imaging.close());
  const svg = await imaging.draw({ badge: BADGE, format: 'svg', scale: 1 }, 1_000);
  t.match(svg.toString(), /^<svg.*license: Apache 2\.0.*<\/svg>$/s);
  t.equal(loaded(), false);
  await imaging.draw({ badge: BADGE, format: 'png', scale: 1 }, 20_000);
  t.equal(loaded(), true);
});

t.test('every raster format shows the words in the right size and colours', async (t) => {
  const imaging = embeddedImaging(1, 16);
  t.teardown(() => imaging.close());
  const svg = drawSvg(BADGE);
  const width = Number(/ width="(\d+)"/.exec(svg)![1]);
  const labelWidth = Number(/<rect width="(\d+)" height="20" fill="#555"/.exec(svg)![1]);
  await Promise.all(
    FORMATS.map(async (format) => {
      const pixels = await pixelsOf(await imaging.draw({ badge: BADGE, format, scale: 1 }, 20_000), format);
      t.same([pixels.width, pixels.height], [width, 20], `${format}: size of the SVG`);
      t.ok(pixels.share(GREY, 0, labelWidth) > 0.5, `${format}: the label is grey`);
      t.ok(pixels.share(BLUE, labelWidth, width) > 0.5, `${format}: the message is blue`);
      for (const [left, right] of [
        [5, labelWidth - 4],
        [labelWidth + 4, width - 5],
      ] as const) {
        const words = pixels.share(WHITE, left, right);
        t.ok(words > 0.03 && words < 0.4, `${format}: words are written there (${words.toFixed(3)} white)`);
      }
    }),
  );
  const twice = await pixelsOf(await imaging.draw({ badge: BADGE, format: 'png', scale: 2 }, 20_000), 'png');
  t.same([twice.width, twice.height], [width * 2, 40]);
  const blank = await pixelsOf(
    await imaging.draw({ badge: { ...BADGE, message: '.' }, format: 'png', scale: 1 }, 20_000),
    'png',
  );
  t.ok(blank.share(WHITE, labelWidth + 2, blank.width) < 0.03, 'and no words where there are none');
  const bold = await pixelsOf(
    await imaging.draw({ badge: { ...BADGE, style: 'for-the-badge' }, format: 'png', scale: 1 }, 20_000),
    'png',
  );
  t.equal(bold.height, 28);
  t.ok(bold.share(WHITE, 5, bold.width - 5) > 0.02, 'bold words too');
  const long = await pixelsOf(
    await imaging.draw(
      { badge: { ...BADGE, label: 'W'.repeat(128), message: 'W'.repeat(256) }, format: 'png', scale: 2 },
      20_000,
    ),
    'png',
  );
  t.ok(long.width <= 2000, `never wider than 2000 pixels: ${long.width}`);
});

t.test('threads take turns, are bounded, and one that hangs or dies takes no other with it', async (t) => {
  const pool = new RasterPool(1, 3);
  t.teardown(() => pool.close());
  const svg = drawSvg(BADGE);
  const png = { svg, format: 'png', scale: 1 } as const;
  await pool.draw(png, 20_000);
  const results = await Promise.allSettled(Array.from({ length: 6 }, () => pool.draw(png, 20_000)));
  t.equal(results.filter(({ status }) => status === 'fulfilled').length, 4, 'one under way, three waiting');
  for (const result of results) if (result.status === 'rejected') t.match(result.reason, { code: 'queue-full' });
  await t.rejects(pool.draw({ ...png, svg: 'no picture' }, 20_000), { code: 'worker' });
  t.ok((await pool.draw(png, 20_000)).length > 0, 'goes on after a bad one');
  // Noise over millions of pixels takes a second or two
  const slow =
    '<svg xmlns="http://www.w3.org/2000/svg" width="1900" height="1900"><filter id="f"><feTurbulence baseFrequency="0.9" numOctaves="2"/></filter><rect width="1900" height="1900" filter="url(#f)"/></svg>';
  await t.rejects(pool.draw({ ...png, svg: slow }, 1), { code: 'timeout' });
  t.ok((await pool.draw(png, 20_000)).length > 0, 'a thread given up is replaced');
});

t.test('imaging elsewhere: a shields-compatible server, here our own', async (t) => {
  const server = await start({ deadline: '20s', pypi: { url: 'file:config/demo-pypi' }, downloads: { url: 'off' } });
  const imaging = remoteImaging(`http://${server.address}`, 20_000, 'test', Date.now);
  t.teardown(async () => {
    await imaging.close();
    await server.close();
  });
  for (const badge of [
    BADGE,
    { ...BADGE, label: '', message: 'a-b_c d/e?#%', color: '4c1', labelColor: 'red', style: 'plastic' as const },
    { ...BADGE, label: 'x--y', message: 'ä ✓' },
  ]) {
    const content = { badge, format: 'svg', scale: 1 } as const;
    t.equal((await imaging.draw(content, 5_000)).toString(), drawSvg(badge), contentUri(content));
  }
  const png = await imaging.draw({ badge: BADGE, format: 'png', scale: 2 }, 20_000);
  t.equal((await sharp(png).metadata()).height, 40);

  const front = await start({
    deadline: '20s',
    pypi: { url: 'file:config/demo-pypi' },
    imaging: { url: `http://${server.address}/`, timeout: '10s' },
    downloads: { url: 'off' },
  });
  const license = await front.get((await front.get('/license/requests/badge.svg')).headers.location!);
  t.match(license.headers, { 'cache-control': 'public, max-age=86400, immutable' });
  t.match(license.body.toString(), 'license: Apache-2.0');
  t.equal(await front.words('/version/requests/badge.svg'), 'pypi | 2.32.4');
  const asked = server.lines.filter(({ msg, url }) => msg === 'answered' && String(url).startsWith('/badge/'));
  t.equal(asked.length, 6, 'all were drawn there');
  t.equal(await front.words('/license/nosuch/badge.svg'), 'license | package not found');
  t.equal(server.lines.filter(({ msg }) => msg === 'answered').length, 6, 'but no pictures of errors');
  await front.close();
});
