import { configSchema } from './config/schema.ts';
import { startProxy } from './scratch-main.ts';
const c: any = configSchema.parse({ proxy: { listen: '127.0.0.1:18080', origin: 'http://127.0.0.1:18000', admin: 'off', limits: { connections: 5000 } }, rules: process.env.RULES ? JSON.parse(process.env.RULES) : [], log: { level: 'silent', access: 'off' } });
const p = await startProxy(c, {}); console.log(p.addresses);
