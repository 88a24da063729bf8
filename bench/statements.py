"""The gateway's own statements, as PostgreSQL sees them, made into pgbench scripts."""

import json
import pathlib
import re
import subprocess
import time

import psycopg.conninfo

from bench import SECONDS
from load import CONNECTIONS

PGBENCH = "/usr/lib/postgresql/17/bin/pgbench"


def learn(bench, request):
    """Does `request` once with the statement log on; returns [(sql, parameters)] in order."""
    folder = pathlib.Path(bench.admin_sql("SHOW data_directory"),
                          bench.admin_sql("SHOW log_directory"))
    sizes = {path: path.stat().st_size for path in folder.glob("*.json")}
    bench.admin_sql("ALTER SYSTEM SET log_statement = 'all'")
    bench.admin_sql("SELECT pg_reload_conf()")
    time.sleep(0.5)  # Backends read the setting at their next command.
    request()
    request()
    bench.admin_sql("ALTER SYSTEM RESET log_statement")
    bench.admin_sql("SELECT pg_reload_conf()")
    time.sleep(0.5)
    found = []
    for path in sorted(folder.glob("*.json")):
        with open(path, encoding="utf-8") as file:
            file.seek(sizes.get(path, 0))
            for line in file:
                entry = json.loads(line)
                match = re.match(r"execute [^:]*: (.*)", entry.get("message", ""), re.DOTALL)
                if match and entry.get("application_name") != "psycopg":
                    found.append((match[1], parameters(entry.get("detail", ""))))
    return found


def parameters(detail):
    """The values of "Parameters: $1 = 'a', $2 = NULL", by number."""
    found = re.findall(r"\$(\d+) = (NULL|'(?:[^']|'')*')", detail)
    return {int(number): None if text == "NULL" else text[1:-1].replace("''", "'")
            for number, text in found}


def script(sql, values, replaced, prelude=""):
    """A pgbench script: `replaced` gives SQL for some parameters, the others become variables.

    Returns (text, variables for pgbench -D).
    """
    variables = {}

    def one(match):
        number = int(match[1])
        if number in replaced:
            return replaced[number]
        if values[number] is None:
            return "NULL"
        variables[f"p{number}"] = values[number]
        return f":p{number}"

    text = re.sub(r"\$(\d+)", one, sql)
    return f"{prelude}{' '.join(text.split())};\n", variables


def transactions_per_second(bench, text, variables):
    """pgbench -M prepared over the socket; one thread, as the measure says."""
    path = pathlib.Path(bench.stores.run_dir) / "pgbench.sql"
    path.write_text(text)
    parts = psycopg.conninfo.conninfo_to_dict(bench.database_url)
    flags = [word for name, value in variables.items() for word in ("-D", f"{name}={value}")]
    done = subprocess.run(
        [PGBENCH, "-n", "-M", "prepared", "-c", str(CONNECTIONS), "-j", "1", "-T", str(SECONDS),
         *flags, "-f", path, "-h", parts["host"], "-p", parts["port"], "-U", parts["user"],
         parts["dbname"]], capture_output=True, text=True)
    assert done.returncode == 0 and "tps = " in done.stdout, done.stdout + done.stderr
    assert "number of failed transactions: 0 " in done.stdout, done.stdout
    return float(re.search(r"tps = ([0-9.]+)", done.stdout)[1])
