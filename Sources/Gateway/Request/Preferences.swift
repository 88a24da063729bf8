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
    /// `max-affected` is no number. Passing over it would change what it was to protect.
    private(set) var isMaxAffectedMalformed = false

    /// Greatest wait that is honoured, in milliseconds; longer ones are cut to it.
    static let waitMillisecondsMax = 10_000

    /// - Parameter header: The values of all `Prefer` lines, joined by commas; nil without any.
    init(_ header: String?) {
        guard let header else { return }
        for part in header.split(separator: ",") {
            let pieces = part.split(
                separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let value = pieces.count == 2 ? unquote(pieces[1].trimmingSpaces) : ""
            take(name: pieces[0].trimmingSpaces.lowercased(), value: value)
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
            let isNumber = !value.isEmpty && value.utf8.allSatisfy { (48...57).contains($0) }
            guard isNumber, let limit = Int(value) else {
                isMaxAffectedMalformed = true
                return
            }
            maxAffected = maxAffected ?? limit
        default: break
        }
    }
}

extension Preferences {
    /// Refuses a bound on the rows of a write that cannot be kept.
    func requireMaxAffected() throws(Problem) {
        guard isMaxAffectedMalformed else { return }
        throw Problem(
            .invalidHeader, "max-affected must be a whole number, 0 or more.",
            hint: "Send `Prefer: max-affected=1`.",
            errors: [FieldError("Prefer", "max-affected is not a number")])
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
