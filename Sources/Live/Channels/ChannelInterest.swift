/// Which loops listen on which channels, and what Redis has confirmed: a pure state machine.
///
/// A channel is in force when its subscription and that of its ids are confirmed. It outlives its
/// last listener for a while, so that one who drops and resumes finds it again.
struct ChannelInterest {
    private struct Entry {
        /// A bit for each loop.
        var loops: UInt64 = 0
        var isSentConfirmed = false
        var isMessageConfirmed = false
        /// When to unsubscribe, in milliseconds of the loop's clock; while no loop is interested.
        var leavesAt = UInt64.max

        var isInForce: Bool { isSentConfirmed && isMessageConfirmed }
    }

    /// Loops of one process at most: bits of a set.
    static let loopCountMax = 64

    private var entries: [String: Entry] = [:]
    /// Channels without a listener, in the order in which they lost the last.
    private var leaving: [(channel: String, at: UInt64)] = []

    /// Channels subscribed or about to be.
    var count: Int { entries.count }

    enum WantOutcome: Equatable { case subscribe, wait, inForce }

    /// A loop has its first listener of a channel.
    mutating func want(_ channel: String, loop: Int) -> WantOutcome {
        guard var entry = entries[channel] else {
            entries[channel] = Entry(loops: 1 << UInt64(loop))
            return .subscribe
        }
        entry.loops |= 1 << UInt64(loop)
        entry.leavesAt = .max
        entries[channel] = entry
        return entry.isInForce ? .inForce : .wait
    }

    /// A loop has lost its last listener of a channel.
    mutating func unwant(_ channel: String, loop: Int, now: UInt64, linger: UInt64) {
        guard var entry = entries[channel] else { return }
        entry.loops &= ~(1 << UInt64(loop))
        if entry.loops == 0 {
            entry.leavesAt = now + linger
            leaving.append((channel, now + linger))
        }
        entries[channel] = entry
    }

    /// Takes the channels whose time is over.
    mutating func expired(now: UInt64) -> [String] {
        let end = leaving.firstIndex { $0.at > now } ?? leaving.count
        let due = leaving[..<end].filter { entries[$0.channel]?.leavesAt == $0.at }
        leaving.removeFirst(end)
        for (channel, _) in due { entries[channel] = nil }
        return due.map(\.channel)
    }

    /// Redis has confirmed a subscription.
    ///
    /// - Parameter isSent: That of the ids, not that of the messages.
    /// - Returns: True if the channel is in force from now on.
    mutating func confirm(_ channel: String, isSent: Bool) -> Bool {
        guard var entry = entries[channel] else { return false }
        let wasInForce = entry.isInForce
        if isSent { entry.isSentConfirmed = true } else { entry.isMessageConfirmed = true }
        entries[channel] = entry
        return entry.isInForce && !wasInForce
    }

    /// Redis does not allow a channel.
    ///
    /// - Returns: The loops that have listeners of it.
    mutating func refuse(_ channel: String) -> UInt64 {
        entries.removeValue(forKey: channel)?.loops ?? 0
    }

    /// The loops that a message goes to; none while the channel is not in force.
    func loops(of channel: String) -> UInt64 {
        guard let entry = entries[channel], entry.isInForce else { return 0 }
        return entry.loops
    }

    /// Every confirmation is void.
    mutating func lost() {
        entries = entries.mapValues { old in
            var entry = old
            entry.isSentConfirmed = false
            entry.isMessageConfirmed = false
            return entry
        }
    }
}
