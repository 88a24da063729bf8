/// Why messages between an id and now may be missing from the histories.
package enum HistoryGap: String, Sendable, CaseIterable {
    /// Redis has forgotten messages: it was emptied, or came back with older data.
    case lost
    /// More messages came than a history keeps.
    case trimmed
    /// A history was not used for longer than it is kept.
    case expired

    /// What Redis knows beside the messages themselves.
    package struct Facts: Equatable, Sendable {
        /// The greatest id that was given.
        package var last: UInt64
        /// The first id of which no message before is in any history.
        package var since: UInt64
        /// The clock of Redis, in microseconds since 1970.
        package var now: UInt64
        /// Of each channel that has a history.
        package var histories: [History]
    }

    package struct History: Equatable, Sendable {
        package var count: UInt64
        /// Messages that were ever added since it began.
        package var addedCount: UInt64
        /// Id of the oldest; 0 where there is none.
        package var first: UInt64
    }

    /// - Parameters:
    ///   - channelCount: Channels asked for; those without a history are not in `facts`.
    ///   - retention: How long a history stays after its last message, in microseconds.
    /// - Returns: nil if every message after `id` is there.
    package static func find(
        after id: UInt64, _ facts: Facts, channelCount: Int, retention: UInt64
    ) -> HistoryGap? {
        if id < facts.since || id > facts.last { return .lost }
        if id == facts.last { return nil }
        for history in facts.histories where history.first > id {
            if history.addedCount > history.count { return .trimmed }
            // What stood here before it expired was older than this.
            if history.first - id > retention { return .expired }
        }
        // Those that are gone had no message within the retention.
        if facts.histories.count < channelCount, facts.now > id, facts.now - id > retention {
            return .expired
        }
        return nil
    }

    /// Whether no id that Redis gave, also one it has forgotten, can be this one.
    package static func isFuture(_ id: UInt64, _ facts: Facts) -> Bool {
        id > max(facts.last, facts.now)
    }
}
