/// What one listener has got and what it may get now: a pure state machine.
///
/// While it is not live, messages that arrive are held back, for those of the history come first.
/// What another client published is in no history: it is held from when its channel is subscribed.
struct ListenerFeed {
    enum Phase: Equatable {
        /// Channels of it are not subscribed yet. Can go to reading.
        case waiting(channelCount: Int)
        /// The history is read. Can go to live, waiting.
        case reading
        /// Can go to waiting.
        case live
    }

    private(set) var phase: Phase
    /// Everything up to this id has been delivered, or was never promised.
    private(set) var cursor: UInt64
    private var held: [ChannelEvent] = []
    private var heldByteCount = 0
    /// More came than may be held: the history must be read again.
    private var hasOverflowed = false
    /// Counts the losses of the subscription, so that a reading of before is known.
    private(set) var generation: UInt16 = 0

    init(cursor: UInt64) {
        phase = .waiting(channelCount: 0)
        self.cursor = cursor
    }

    /// Another channel to wait for.
    mutating func add() {
        if case .waiting(let count) = phase { phase = .waiting(channelCount: count + 1) }
    }

    /// A channel is subscribed now.
    ///
    /// - Returns: True if that was the last one.
    mutating func confirmed() -> Bool {
        guard case .waiting(let count) = phase, count > 0 else { return false }
        phase = .waiting(channelCount: count - 1)
        return count == 1
    }

    /// Whether all its channels are subscribed.
    var isConfirmed: Bool {
        if case .waiting(let count) = phase { return count == 0 }
        return true
    }

    var isLive: Bool { phase == .live }

    /// What arrives from now on is held: the history that is read next has what came before.
    mutating func beginReading() {
        phase = .reading
        hasOverflowed = false
    }

    /// Where a client that resumes stands; once all channels are confirmed.
    mutating func resume(after id: UInt64) {
        beginReading()
        cursor = id
    }

    /// A message has arrived.
    ///
    /// - Returns: True if it is to be delivered now.
    mutating func take(_ event: ChannelEvent, _ limits: EventStreamLimits) -> Bool {
        if event.id != 0 && event.id <= cursor { return false }
        switch phase {
        case .live:
            if event.id != 0 { cursor = event.id }
            return true
        case .waiting where event.id != 0: return false
        case .waiting, .reading:
            if hasOverflowed { return false }
            heldByteCount += event.bytes.count
            if held.count >= limits.heldCountMax || heldByteCount > limits.heldByteCountMax {
                release()
                hasOverflowed = true
            } else {
                held.append(event)
            }
            return false
        }
    }

    /// The history was delivered up to this id.
    mutating func advance(to id: UInt64) { cursor = max(cursor, id) }

    /// Begins anew at this id, which may be less than the cursor if Redis has forgotten that.
    mutating func rewind(to id: UInt64) { cursor = id }

    /// The history has nothing more.
    ///
    /// - Returns: What was held and is new, to be delivered now; nil if the history must be read
    ///   again from the cursor.
    mutating func goLive() -> [ChannelEvent]? {
        if hasOverflowed {
            beginReading()
            return nil
        }
        phase = .live
        let events = held.filter { $0.id == 0 || $0.id > cursor }
        release()
        if let last = events.last(where: { $0.id != 0 }) { cursor = last.id }
        return events
    }

    /// The subscription broke: all channels must be confirmed again, then the history is read.
    ///
    /// - Parameter position: Everything up to this id had been delivered to live listeners.
    mutating func lost(channelCount: Int, position: UInt64) {
        if isLive { advance(to: position) }
        phase = .waiting(channelCount: channelCount)
        held.removeAll { $0.id != 0 }
        heldByteCount = held.reduce(0) { $0 + $1.bytes.count }
        hasOverflowed = false
        generation &+= 1
    }

    private mutating func release() {
        held = []
        heldByteCount = 0
        hasOverflowed = false
    }
}
