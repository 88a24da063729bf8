internal import Glibc
internal import Packs
internal import Runtime
internal import Settings

/// The command line.
@main
struct Fourfold {
    /// How a command ended, for the shell.
    enum ExitCode: CInt {
        case done = 0
        /// The answer is "no": drift was found, a pack is invalid.
        case no = 1
        /// It could not run: bad flags, a store out of reach.
        case failed = 2
    }

    static func main() {
        signal(SIGPIPE, SIG_IGN)
        var words = Array(CommandLine.arguments.dropFirst())
        guard let name = words.first, name != "--help", name != "-h", name != "help" else {
            print(usage)
            exit(ExitCode.done.rawValue)
        }
        words.removeFirst()
        if name == "packs" && words.first == "check" {
            words.removeFirst()
            return run("packs check", words)
        }
        run(name, words)
    }

    private static func run(_ name: String, _ words: [String]) {
        guard let command = commands.first(where: { $0.name == name }) else {
            complain("no command named \(name)\n\n\(usage)")
            exit(ExitCode.failed.rawValue)
        }
        if words.contains("--help") || words.contains("-h") {
            print(command.help)
            exit(ExitCode.done.rawValue)
        }
        do throws(SettingsError) {
            let settings = try loadSettings(command, words)
            let code = command.run(settings)
            Log.shared.drain()
            exit(code.rawValue)
        } catch {
            for mistake in error.mistakes { complain(mistake) }
            exit(ExitCode.failed.rawValue)
        }
    }

    private static func loadSettings(
        _ command: Command, _ words: [String]
    ) throws(SettingsError) -> Settings {
        var words = words
        var configFile: String?
        if let index = words.firstIndex(of: "--config") {
            guard words.indices.contains(index + 1) else {
                throw SettingsError(mistakes: ["--config needs a file"])
            }
            configFile = try readConfigFile(words[index + 1])
            words.removeSubrange(index...index + 1)
        }
        let settings = try Settings.load(
            catalog: settingsCatalog, arguments: words,
            environment: { name in getenv(name).map { String(cString: $0) } },
            configFile: configFile, extraFlags: command.flags)
        Log.shared.minimum =
            Log.Level.allCases.first { $0.name == settings.text("FOURFOLD_LOG_LEVEL") } ?? .info
        for each in Misspelling.find(environmentNames(), catalog: settingsCatalog) {
            Log.warning(
                "a variable is no setting and does nothing", ("name", each.name),
                ("meant", each.meant))
        }
        return settings
    }

    private static var usage: String {
        var text = "usage: fourfold COMMAND [--flag value …]\n\n"
        for command in commands {
            let padding = String(repeating: " ", count: max(1, 20 - command.name.count))
            text += "  \(command.name)\(padding)\(command.summary)\n"
        }
        return text + "\nfourfold COMMAND --help lists its flags."
    }
}

/// Prints a line to standard error, for the person at the terminal.
func complain(_ text: String) {
    let line = Array("fourfold: \(text)\n".utf8)
    _ = write(STDERR_FILENO, line, line.count)
}

private func environmentNames() -> [String] {
    var names: [String] = []
    var place = environ
    while let entry = place.pointee {
        names.append(String(String(cString: entry).prefix { $0 != "=" }))
        place += 1
    }
    return names
}

private func readConfigFile(_ path: String) throws(SettingsError) -> String {
    do throws(TextFile.ReadError) {
        return try TextFile.read(path)
    } catch {
        throw SettingsError(mistakes: ["--config: the file cannot be read: \(error)"])
    }
}
