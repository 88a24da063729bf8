/// What is told of one change.
struct LiveStep: Equatable, Sendable {
    /// Grows within a page, and is the same however often the page is read.
    var mark: String
    var messages: [ChannelMessage]

    /// Of the change at a place of the page.
    static func mark(place: Int) -> String {
        let digits = String(place)
        return "a" + String(repeating: "0", count: max(0, 9 - digits.count)) + digits
    }

    /// Of a key that a dirty rule named: these come behind the page's own changes.
    static func mark(entity: String, key: String) -> String { "b\(entity)/\(key)" }

    static func precedes(_ mark: String, _ other: String) -> Bool {
        mark.utf8.lexicographicallyPrecedes(other.utf8)
    }
}

/// A page cut into runs of the script. Pure.
struct LiveRuns: Sendable {
    struct Run: Equatable, Sendable {
        var keys: ArraySlice<String> = []
        var messages: [ChannelMessage] = []
        /// How far the page is told after it.
        var mark: String
    }

    let runs: [Run]

    /// - Parameters:
    ///   - steps: In the order of their marks.
    ///   - told: The mark of the last step that an earlier attempt has told; empty for none.
    init(keys: [String], steps: [LiveStep], after told: String, _ limits: LiveLaneLimits) {
        var runs: [Run] = []
        var current = Run(mark: told)
        // Caches first: who hears of a change reads what is new.
        var rest = keys[...]
        while rest.count > limits.runKeyCountMax {
            runs.append(Run(keys: rest.prefix(limits.runKeyCountMax), mark: told))
            rest = rest.dropFirst(limits.runKeyCountMax)
        }
        current.keys = rest
        var byteCount = 0
        for step in steps where told.isEmpty || LiveStep.precedes(told, step.mark) {
            let bytes = step.messages.reduce(0) { $0 + $1.byteCount }
            let count = current.messages.count + step.messages.count
            if !current.messages.isEmpty,
                count > limits.runMessageCountMax || byteCount + bytes > limits.runByteCountMax
            {
                runs.append(current)
                current = Run(mark: current.mark)
                byteCount = 0
            }
            current.messages += step.messages
            current.mark = step.mark
            byteCount += bytes
        }
        runs.append(current)
        self.runs = runs
    }
}
