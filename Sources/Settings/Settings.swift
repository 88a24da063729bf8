/// The settings of one process, read once at the start.
///
/// A flag beats the environment, the environment beats the config file, and that the default.
package struct Settings: Sendable {
    private let values: [String: SettingValue]
    /// What was left of the command line: words that are no settings.
    package let arguments: [String]

    /// Reads all sources and checks every value.
    ///
    /// - Parameters:
    ///   - catalog: The settings that exist.
    ///   - arguments: The command line after the subcommand. `--name value` and `--name=value`.
    ///   - environment: Looked up by name; others are ignored. An empty value means "absent".
    ///   - configFile: The text of the config file, lines of `NAME=value`, `#` comments.
    ///   - extraFlags: Flags of the subcommand itself, name to "takes a value".
    /// - Throws: All mistakes at once.
    package static func load(
        catalog: [Setting], arguments: [String], environment: (String) -> String?,
        configFile: String?, extraFlags: [String: Bool] = [:]
    ) throws(SettingsError) -> Settings {
        var reader = SettingsReader(catalog: catalog)
        if let configFile { reader.readConfigFile(configFile) }
        for setting in catalog {
            guard let text = environment(setting.name), !text.isEmpty else { continue }
            reader.take(text, for: setting, from: "environment")
        }
        let rest = reader.readArguments(arguments, extraFlags: extraFlags)
        if !reader.mistakes.isEmpty { throw SettingsError(mistakes: reader.mistakes) }
        return Settings(values: reader.values, arguments: rest)
    }

    private init(values: [String: SettingValue], arguments: [String]) {
        self.values = values
        self.arguments = arguments
    }

    package func text(_ name: String) -> String? {
        guard case .text(let text) = values[name] else { return nil }
        return text
    }

    /// - Precondition: the catalog gives `name` a default of this kind, as for the two below.
    package func integer(_ name: String) -> Int {
        guard case .integer(let number) = values[name] else { missing(name) }
        return number
    }

    package func optionalInteger(_ name: String) -> Int? {
        guard case .integer(let number) = values[name] else { return nil }
        return number
    }

    package func duration(_ name: String) -> Duration {
        guard case .duration(let duration) = values[name] else { missing(name) }
        return duration
    }

    package func optionalDuration(_ name: String) -> Duration? {
        guard case .duration(let duration) = values[name] else { return nil }
        return duration
    }

    package func isOn(_ name: String) -> Bool {
        guard case .flag(let isOn) = values[name] else { missing(name) }
        return isOn
    }

    private func missing(_ name: String) -> Never {
        preconditionFailure("the catalog has no default of the right kind for \(name)")
    }
}

/// Everything that is wrong with the settings. Never carries a value.
package struct SettingsError: Error, Equatable {
    package let mistakes: [String]

    package init(mistakes: [String]) { self.mistakes = mistakes }
}

private struct SettingsReader {
    let catalog: [Setting]
    var values: [String: SettingValue] = [:]
    var mistakes: [String] = []

    init(catalog: [Setting]) {
        self.catalog = catalog
        for setting in catalog {
            guard let text = setting.defaultText else { continue }
            guard let value = setting.parse(text) else {
                preconditionFailure("the default of \(setting.name) is out of its own bounds")
            }
            values[setting.name] = value
        }
    }

    mutating func take(_ text: String, for setting: Setting, from source: String) {
        if let value = setting.parse(text) {
            values[setting.name] = value
        } else {
            mistakes.append("\(setting.name) (\(source)): must be \(setting.boundText)")
        }
    }

    mutating func readConfigFile(_ text: String) {
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        for (index, line) in lines.enumerated() {
            let line = line.trimmed
            if line.isEmpty || line.hasPrefix("#") { continue }
            guard let equals = line.firstIndex(of: "=") else {
                mistakes.append("config file, line \(index + 1): expected NAME=value")
                continue
            }
            let name = String(line[..<equals].trimmed)
            guard let setting = catalog.first(where: { $0.name == name }) else {
                mistakes.append("config file, line \(index + 1): no setting named \(name)")
                continue
            }
            let text = String(line[line.index(after: equals)...].trimmed)
            take(text, for: setting, from: "config file, line \(index + 1)")
        }
    }

    /// - Returns: the words that are no settings, extra flags among them.
    mutating func readArguments(_ arguments: [String], extraFlags: [String: Bool]) -> [String] {
        var rest: [String] = []
        var index = 0
        while index < arguments.count {
            let word = arguments[index]
            index += 1
            guard word.hasPrefix("--") else {
                rest.append(word)
                continue
            }
            let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let name = String(parts[0])
            let setting = catalog.first { $0.flagName == name }
            guard let takesValue = setting.map({ _ in true }) ?? extraFlags[name] else {
                mistakes.append("no flag \(name)")
                continue
            }
            var value = parts.count == 2 ? String(parts[1]) : nil
            if takesValue && value == nil {
                guard index < arguments.count else {
                    mistakes.append("\(name) needs a value")
                    continue
                }
                value = arguments[index]
                index += 1
            }
            if let setting {
                take(value ?? "", for: setting, from: name)
            } else {
                rest.append(name)
                if let value { rest.append(value) }
            }
        }
        return rest
    }
}

extension Substring {
    fileprivate var trimmed: Substring {
        var text = self
        while let first = text.first, first.isWhitespace { text.removeFirst() }
        while let last = text.last, last.isWhitespace { text.removeLast() }
        return text
    }
}
