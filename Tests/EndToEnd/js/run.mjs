// Runs the steps that come as JSON on standard input through PostgREST's JavaScript client and
// prints what each gave. A step is a list of calls: [["from", "concepts"], ["select", "name"]].
import { PostgrestClient } from "@supabase/postgrest-js";

const { url, headers, steps } = JSON.parse(await new Response(process.stdin).text());
const client = new PostgrestClient(url, { headers });
const results = [];
for (const calls of steps) {
  let request = client;
  for (const [name, ...args] of calls) request = request[name](...args);
  const { data, error, count, status } = await request;
  const shown = error && {
    message: error.message, details: error.details, hint: error.hint, code: error.code,
  };
  results.push({ data, error: shown, count, status });
}
console.log(JSON.stringify(results));
