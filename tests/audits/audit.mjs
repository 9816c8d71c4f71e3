// Runs every audit of graphql-http against one URL and prints the results as one JSON array.
import { auditServer } from 'graphql-http';

const results = await auditServer({ url: process.argv[2], fetchFn: fetch });
const rows = [];
for (const result of results) {
  rows.push({ id: result.id, name: result.name, status: result.status, reason: result.reason ?? null });
}
process.stdout.write(JSON.stringify(rows));
