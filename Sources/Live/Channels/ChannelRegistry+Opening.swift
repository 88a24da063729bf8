internal import Redis
package import Runtime

/// Why a stream cannot begin.
package enum EventStreamError: Error, Equatable, Sendable {
    /// Redis does not answer, or the gateway stops.
    case unavailable
    /// The process has as many streams as it may.
    case tooMany
    /// The id to go on from was never given.
    case future
}

/// Who waits for the channels of one listener to come into force.
struct Opening {
    enum Outcome { case confirmed, unavailable }

    let continuation: UnsafeContinuation<Outcome, Never>
    /// On the loop's clock.
    let endsAtMilliseconds: UInt64

    func answer(_ outcome: Outcome) { continuation.resume(returning: outcome) }
}

/// A stream that is about to begin: ``begin(_:)`` or its end follows. On the loop.
package final class EventOpening: @unchecked Sendable {
    private let registry: ChannelRegistry
    private let listener: EventListener
    private let page: HistoryPage
    private let gap: HistoryGap?
    private var hasBegun = false

    fileprivate init(
        _ registry: ChannelRegistry, _ listener: EventListener, _ page: HistoryPage,
        gap: HistoryGap?
    ) {
        self.registry = registry
        self.listener = listener
        self.page = page
        self.gap = gap
    }

    // The client may leave before its stream begins.
    deinit {
        if hasBegun { return }
        let (registry, listener) = (registry, listener)
        if registry.loop.isCurrent {
            registry.leave(listener)
        } else {
            registry.loop.submit { registry.leave(listener) }
        }
    }

    /// Writes where the stream stands and what was missed, then what happens.
    package func begin(_ sink: any EventSink) {
        hasBegun = true
        registry.begin(listener, sink, page, gap)
    }
}

extension ChannelRegistry {
    /// Subscribes, and reads what a resuming client has missed.
    ///
    /// - Parameters:
    ///   - names: Without repeats, at least one.
    ///   - id: The last that the client has got; nil begins now.
    package func open(
        _ names: [String], after id: UInt64?, deadline: Deadline
    ) async throws(EventStreamError) -> EventOpening {
        loop.preconditionOnLoop()
        guard !isDraining, !isDegraded else { throw .unavailable }
        guard streams.begin() else { throw .tooMany }
        let listener = EventListener()
        join(listener, names)
        do throws(EventStreamError) {
            try await waitUntilConfirmed(listener, deadline)
            listener.feed.resume(after: id ?? 0)
            let page = try await firstPage(listener, resumes: id != nil, deadline)
            guard let id else {
                listener.feed.advance(to: page.facts.last)
                return EventOpening(self, listener, page, gap: nil)
            }
            if HistoryGap.isFuture(id, page.facts) { throw .future }
            return EventOpening(
                self, listener, page, gap: gap(after: id, page, channelCount: names.count))
        } catch {
            leave(listener)
            throw error
        }
    }

    func gap(after id: UInt64, _ page: HistoryPage, channelCount: Int) -> HistoryGap? {
        HistoryGap.find(
            after: id, page.facts, channelCount: channelCount,
            retention: UInt64(scripts.limits.historyMilliseconds) * 1_000)
    }

    private func waitUntilConfirmed(
        _ listener: EventListener, _ deadline: Deadline
    ) async throws(EventStreamError) {
        if listener.feed.isConfirmed { return }
        let wait = min(deadline.remaining, limits.openTimeout)
        let outcome = await withUnsafeContinuation { continuation in
            openings[ObjectIdentifier(listener)] = Opening(
                continuation: continuation,
                endsAtMilliseconds: loop.nowMilliseconds + wait.wholeMilliseconds)
        }
        if outcome == .unavailable { throw .unavailable }
    }

    func expireOpenings(_ now: UInt64) {
        for (key, opening) in openings where isDegraded || opening.endsAtMilliseconds <= now {
            openings[key] = nil
            opening.answer(.unavailable)
        }
    }

    private func firstPage(
        _ listener: EventListener, resumes: Bool, _ deadline: Deadline
    ) async throws(EventStreamError) -> HistoryPage {
        do throws(RedisError) {
            return try await page(
                resumes ? listener.channelNames : [], after: listener.feed.cursor,
                deadline: deadline)
        } catch {
            throw .unavailable
        }
    }

    fileprivate func begin(
        _ listener: EventListener, _ sink: any EventSink, _ page: HistoryPage, _ gap: HistoryGap?
    ) {
        if listener.hasEnded || isDraining { return sink.close() }
        listener.sink = sink
        sink.onClosed { [unowned self, listener] in leave(listener) }
        let start = ServerSentEvent.start(
            retryMilliseconds: limits.retry.wholeMilliseconds, id: listener.feed.cursor)
        guard write(start, to: listener) else { return }
        // The subscription was lost meanwhile: all is read again once it is back.
        guard listener.feed.phase == .reading else {
            if listener.feed.isConfirmed { read(listener) }
            return
        }
        if let gap {
            reset(listener, gap, page)
        } else if page.isPartial || page.byteCount > limits.queueByteCountMax / 2 {
            return read(listener)
        } else {
            for event in page.events where !write(event.bytes, to: listener) { return }
            listener.feed.advance(to: page.facts.last)
        }
        if !goLive(listener) { read(listener) }
    }
}
