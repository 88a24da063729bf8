internal import Runtime

/// One thing an operator can set: by flag, by environment, or in the config file.
package struct Setting: Sendable {
    /// What a value may be, with unit and bounds.
    package enum Kind: Sendable {
        case text
        /// Text that never appears in logs or `--help` output (URLs with passwords, keys).
        case secret
        case integer(ClosedRange<Int>, unit: String)
        case duration(ClosedRange<Duration>)
        case byteCount(ClosedRange<Int>)
        case choice([String])
        case flag
    }

    /// The name in the environment and the config file.
    package let name: String
    package let kind: Kind
    /// The default as an operator would write it; nil means "absent".
    package let defaultText: String?
    package let summary: String

    package init(_ name: String, _ kind: Kind, default defaultText: String?, _ summary: String) {
        self.name = name
        self.kind = kind
        self.defaultText = defaultText
        self.summary = summary
    }

    /// The name as a flag: `FOURFOLD_BODY_MAX` is `--body-max`, `NEO4J_URL` is `--neo4j-url`.
    package var flagName: String {
        var words = name.lowercased().split(separator: "_")
        if words.first == "fourfold" { words.removeFirst() }
        return "--" + words.joined(separator: "-")
    }

    /// The bound as an operator would read it.
    package var boundText: String {
        switch kind {
        case .text, .secret: "text"
        case .integer(let range, let unit): "\(range.lowerBound)…\(range.upperBound) \(unit)"
        case .duration(let range):
            "\(writeDuration(range.lowerBound))…\(writeDuration(range.upperBound))"
        case .byteCount(let range):
            "\(writeByteCount(range.lowerBound))…\(writeByteCount(range.upperBound))"
        case .choice(let words): words.map { "`\($0)`" }.joined(separator: ", ")
        case .flag: "`on`, `off`"
        }
    }
}

/// A parsed value.
package enum SettingValue: Sendable, Equatable {
    case text(String)
    case integer(Int)
    case duration(Duration)
    case flag(Bool)
}

extension Setting {
    /// Parses what an operator wrote.
    ///
    /// - Returns: nil if it is not such a value or out of bounds.
    package func parse(_ text: String) -> SettingValue? {
        switch kind {
        case .text, .secret:
            return text.utf8.contains(0) ? nil : .text(text)
        case .integer(let range, _):
            guard let number = Int(text), range.contains(number) else { return nil }
            return .integer(number)
        case .duration(let range):
            guard let duration = parseDuration(text), range.contains(duration) else { return nil }
            return .duration(duration)
        case .byteCount(let range):
            guard let count = parseByteCount(text), range.contains(count) else { return nil }
            return .integer(count)
        case .choice(let words):
            return words.contains(text) ? .text(text) : nil
        case .flag:
            return text == "on" ? .flag(true) : text == "off" ? .flag(false) : nil
        }
    }
}

private let durationUnits: [(suffix: String, length: Duration)] = [
    ("ms", .milliseconds(1)), ("s", .seconds(1)), ("m", .seconds(60)), ("h", .seconds(3600)),
    ("d", .seconds(86400)),
]

/// `250ms`, `5s`, `2m`, `24h`, `7d`; whole numbers only.
package func parseDuration(_ text: String) -> Duration? {
    let digits = text.prefix { $0.isASCII && $0.isNumber }
    guard let number = Int(digits), number <= 1_000_000_000,
        let unit = durationUnits.first(where: { $0.suffix == text.dropFirst(digits.count) })
    else { return nil }
    return unit.length * number
}

/// The shortest way to write a duration so that ``parseDuration(_:)`` reads it.
package func writeDuration(_ duration: Duration) -> String {
    for unit in durationUnits.reversed() {
        let count = duration.wholeMilliseconds / unit.length.wholeMilliseconds
        if count > 0 && unit.length * Int(count) == duration { return "\(count)\(unit.suffix)" }
    }
    return "\(duration.wholeMilliseconds)ms"
}

private let byteUnits: [(suffix: String, size: Int)] = [
    ("", 1), ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30),
]

/// `65536`, `64KiB`, `1MiB`, `1GiB`.
package func parseByteCount(_ text: String) -> Int? {
    let digits = text.prefix { $0.isASCII && $0.isNumber }
    guard let number = Int(digits), number <= 1 << 40,
        let unit = byteUnits.first(where: { $0.suffix == text.dropFirst(digits.count) })
    else { return nil }
    return number * unit.size
}

/// The shortest way to write a byte count so that ``parseByteCount(_:)`` reads it.
package func writeByteCount(_ count: Int) -> String {
    for unit in byteUnits.reversed() where count >= unit.size && count % unit.size == 0 {
        return "\(count / unit.size)\(unit.suffix)"
    }
    return "\(count)"
}
