/// Listeners whose history is read, or waits for its turn.
struct ReaderQueue {
    /// Reading now and not waiting for their client.
    var activeCount = 0
    private var waiting: [EventListener] = []
    private var head = 0

    mutating func append(_ listener: EventListener) { waiting.append(listener) }

    mutating func popFirst() -> EventListener? {
        guard head < waiting.count else { return nil }
        let listener = waiting[head]
        head += 1
        if head == waiting.count { removeWaiting() }
        return listener
    }

    mutating func removeWaiting() {
        waiting = []
        head = 0
    }
}
