internal import Packs
internal import Settings

/// `fourfold packs check`
let packsCheckCommand = Command(
    name: "packs check",
    summary: "Checks the files of packs; with DATABASE_URL also against the migrated schema.",
    flags: [:],
    details: "Exit code 1 and every problem at once if a pack is not valid."
) { settings in
    let files = PackFiles(root: settings.text("FOURFOLD_ROOT") ?? ".")
    let wanted = settings.text("FOURFOLD_PACKS")?.split(separator: ",").map(String.init)
    let names = wanted ?? files.packNames()
    let problems = names.flatMap { PackCompiler(files: files).problems($0) }
    for problem in problems { print(problem.text) }
    if names.isEmpty { print("no pack is in \(files.root)/schemas") }
    guard problems.isEmpty, !names.isEmpty else { return .no }
    guard settings.text("DATABASE_URL") != nil else {
        let list = names.joined(separator: ", ")
        print("ok: \(list) (files only; set DATABASE_URL to check the schema)")
        return .done
    }
    return checkSchema(settings, names)
}

private func checkSchema(_ settings: Settings, _ names: [String]) -> Fourfold.ExitCode {
    guard let database = Database(settings) else { return .failed }
    return runOnLoop { loop in
        let client = database.client(loop)
        defer { client.close() }
        guard await database.waitUntilReachable(client, loop) else { return .failed }
        do {
            try await client.withConnection(deadline: .after(.seconds(60))) { connection in
                for name in names {
                    _ = try await PackCompiler(files: database.files).compile(name, on: connection)
                }
            }
            print("ok: \(names.joined(separator: ", "))")
            return .done
        } catch PackFailure.pack(let error) {
            for problem in error.problems { print(problem.text) }
            return .no
        } catch {
            complain(error, client)
            return .failed
        }
    }
}
