/// What a client prefers (RFC 7240), as far as it is known here; unknown preferences are ignored,
/// as the standard asks.
struct Preferences: Sendable, Equatable {
    enum Return: String, Sendable { case minimal, representation, headersOnly = "headers-only" }
    enum Count: String, Sendable { case exact, planned, estimated }
    enum Resolution: String, Sendable {
        case mergeDuplicates = "merge-duplicates"
        case ignoreDuplicates = "ignore-duplicates"
    }

    var returning: Return?
    var count: Count?
    var resolution: Resolution?
    /// `missing=default`: an absent key takes the column's default instead of NULL.
    var isMissingDefault = false
    /// `wait`, in milliseconds: how long a read may wait for its store (the unit is ours;
    /// RFC 7240 §4.3 has seconds).
    var waitMilliseconds: Int?
    /// `max-affected`: more rows than this are not changed.
    var maxAffected: Int?

    /// Greatest wait that is honoured, in milliseconds; longer ones are cut to it.
    static let waitMillisecondsMax = 10_000

    /// - Parameter header: The values of all `Prefer` lines, joined by commas; nil without any.
    init(_ header: String?) {
        guard let header else { return }
        for part in header.split(separator: ",") {
            let pieces = part.split(separator: "=", maxSplits: 1)
            guard pieces.count == 2 else { continue }
            take(
                name: pieces[0].trimmingSpaces.lowercased(),
                value: unquote(pieces[1].trimmingSpaces))
        }
    }

    private mutating func take(name: String, value: String) {
        switch name {
        case "return": returning = returning ?? Return(rawValue: value)
        case "count": count = count ?? Count(rawValue: value)
        case "resolution": resolution = resolution ?? Resolution(rawValue: value)
        case "missing": isMissingDefault = value == "default"
        case "wait":
            guard waitMilliseconds == nil, let wait = Int(value), wait >= 0 else { return }
            waitMilliseconds = min(wait, Preferences.waitMillisecondsMax)
        case "max-affected":
            guard let limit = Int(value), limit >= 0 else { return }
            maxAffected = maxAffected ?? limit
        default: break
        }
    }
}

private func unquote(_ text: Substring) -> String {
    guard text.count >= 2, text.first == "\"", text.last == "\"" else { return String(text) }
    return String(text.dropFirst().dropLast())
}

extension Substring {
    /// Without spaces and tabs at both ends.
    var trimmingSpaces: Substring {
        var text = self
        while let first = text.first, first == " " || first == "\t" { text.removeFirst() }
        while let last = text.last, last == " " || last == "\t" { text.removeLast() }
        return text
    }
}
