/// What a pipeline owes: the commands that were sent and not yet answered, in order.
///
/// A segment is what the server treats as one implicit transaction: the requests up to a sync. One
/// failing command makes the server skip the rest of its segment. Some requests have preludes
/// (closing and preparing the statement), which answer first.
struct PipelineQueue<Request, Value> {
    enum Outcome {
        case none
        case succeeded(Value)
        // Indirect, so that every entry is moved about without room for an error.
        indirect case failed(ServerError)
        /// The server did not run it because an earlier command of its segment failed.
        case skipped
    }

    struct Entry {
        var request: Request
        var preludeCount: UInt8
        var endsSegment = false
        var outcome = Outcome.none
    }

    enum Reply {
        case succeeded(Value)
        indirect case failed(ServerError)
        case skipped
        case synchronized
    }

    enum Action {
        case none
        /// The statement of the entry at `index` was not prepared after all.
        case preparationFailed(index: Int)
        /// The oldest `entryCount` entries are complete.
        case segmentEnded(entryCount: Int)
        /// The same, and every command succeeded, but the transaction did not commit.
        indirect case commitFailed(entryCount: Int, error: ServerError)
        /// The server sent what the protocol does not allow here: give the connection up.
        case outOfStep
    }

    private var entries = RingBuffer<Entry>(minimumCapacity: 64)
    /// Entries of the oldest segment that are answered.
    private var position = 0
    private var isSyncDue = false
    private var commitFailure: ServerError?
    /// Entries since the last end of a segment.
    private(set) var openEntryCount = 0

    var isEmpty: Bool { entries.isEmpty }
    var count: Int { entries.count }

    mutating func append(_ request: consuming Request, preludeCount: UInt8) {
        entries.append(Entry(request: request, preludeCount: preludeCount))
        openEntryCount += 1
    }

    /// Closes the segment. False if it has no entry, so that there is nothing to synchronise.
    mutating func endSegment() -> Bool {
        guard openEntryCount > 0 else { return false }
        openEntryCount = 0
        entries.update(entries.count - 1) { $0.endsSegment = true }
        return true
    }

    mutating func receive(_ reply: Reply) -> Action {
        if isSyncDue { return receiveAtSync(reply) }
        guard position < entries.count else { return .outOfStep }
        let index = position
        var isAnswered = false
        var endsSegment = false
        let action: Action = entries.update(index) { entry in
            if entry.preludeCount > 0 {
                entry.preludeCount -= 1
                switch reply {
                case .succeeded: return .none
                case .failed(let error): entry.outcome = .failed(error)
                case .skipped: if case .none = entry.outcome { entry.outcome = .skipped }
                case .synchronized: return .outOfStep
                }
                return .preparationFailed(index: index)
            }
            switch reply {
            case .succeeded(let value): entry.outcome = .succeeded(value)
            case .failed(let error): entry.outcome = .failed(error)
            case .skipped: if case .none = entry.outcome { entry.outcome = .skipped }
            case .synchronized: return .outOfStep
            }
            isAnswered = true
            endsSegment = entry.endsSegment
            return .none
        }
        if isAnswered {
            position += 1
            isSyncDue = endsSegment
        }
        return action
    }

    private mutating func receiveAtSync(_ reply: Reply) -> Action {
        switch reply {
        case .synchronized:
            let entryCount = position
            position = 0
            isSyncDue = false
            if let error = commitFailure.take() {
                return .commitFailed(entryCount: entryCount, error: error)
            }
            return .segmentEnded(entryCount: entryCount)
        case .failed(let error):
            commitFailure = error
            return .none
        case .succeeded, .skipped:
            return .outOfStep
        }
    }

    mutating func removeFirst() -> Entry? { entries.removeFirst() }

    /// Changes a request that is in flight.
    mutating func update<Result>(_ index: Int, _ body: (inout Request) -> Result) -> Result {
        entries.update(index) { body(&$0.request) }
    }

    /// Forgets everything; the connection is gone.
    mutating func removeAll() -> [Entry] {
        position = 0
        isSyncDue = false
        openEntryCount = 0
        commitFailure = nil
        return entries.removeAll()
    }
}
