internal import Settings

/// One command of the executable.
struct Command: Sendable {
    let name: String
    let summary: String
    /// Its own flags, beside the settings: name to "takes a value".
    let flags: [String: Bool]
    let details: String
    let run: @Sendable (Settings) -> Fourfold.ExitCode

    var help: String {
        var text = "usage: fourfold \(name) [--flag value …]\n\n\(summary)\n\(details)\n\n"
        text += "Settings: flags override the environment, which overrides --config FILE.\n\n"
        for setting in settingsCatalog {
            text += "  \(setting.flagName)  (\(setting.name))\n      \(setting.summary)\n"
            text += "      \(setting.boundText)"
            if let value = setting.defaultText { text += "; default \(value)" }
            text += "\n"
        }
        return text
    }
}
