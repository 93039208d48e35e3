import type { BodyFiles } from './body-files.ts';
import type { Core } from './core.ts';
import { Files } from './files.ts';
import type { Shields } from './shields.ts';

/** After opening: temporary files of the dead go, shield files without a row get one, body files without one go. */
export const lookAfterStrays = async (core: Core, bodies: BodyFiles, shields: Shields): Promise<void> => {
  const { options, home, failed } = core;
  try {
    const now = options.clock();
    await bodies.files.sweepTemporary(now);
    await new Files(home.shields).sweepTemporary(now);
    const { adopted, removed } = await shields.adoptStrays();
    let strays = 0;
    for await (const { name } of bodies.files.settled(now)) {
      if (!core.disk || core.disk.tables.files.getBinary(Buffer.from(name, 'hex'))) continue;
      await bodies.files.remove(name);
      strays++;
    }
    if (adopted + removed + strays > 0)
      options.log.info({ adopted, removed, strays }, 'store: files without a row looked after');
  } catch (error) {
    failed(error);
  }
};
