internal import Redis
internal import Runtime

/// Reading the history for listeners that have missed something.
extension ChannelRegistry {
    /// Has the history of a listener read from its cursor, as soon as there is room.
    func read(_ listener: EventListener) {
        readers.append(listener)
        startReaders()
    }

    private func startReaders() {
        while readers.activeCount < limits.readerCountMax, let listener = readers.popFirst() {
            readers.activeCount += 1
            loop.spawn { [self] in
                await readHistory(listener)
                readers.activeCount -= 1
                startReaders()
            }
        }
    }

    /// Until the listener is live, has gone, or the subscription is lost: then it is read anew.
    private func readHistory(_ listener: EventListener) async {
        guard listener.sink != nil, listener.feed.isConfirmed else { return }
        let generation = listener.feed.generation
        listener.feed.beginReading()
        while true {
            let page = await nextPage(listener, generation)
            guard let page, await deliver(page, listener, generation) else { return }
            if !page.isPartial && goLive(listener) { return }
        }
    }

    private func isCurrent(_ listener: EventListener, _ generation: UInt16) -> Bool {
        listener.sink != nil && listener.feed.generation == generation
    }

    /// - Returns: nil if there is nothing more to do for this listener.
    private func nextPage(_ listener: EventListener, _ generation: UInt16) async -> HistoryPage? {
        while isCurrent(listener, generation) {
            let page: HistoryPage?
            do throws(RedisError) {
                page = try await self.page(
                    listener.channelNames, after: listener.feed.cursor,
                    deadline: .after(.seconds(5)))
            } catch {
                page = nil
            }
            guard isCurrent(listener, generation) else { return nil }
            if let page { return page }
            try? await loop.sleep(for: ChannelRegistry.readPause)
        }
        return nil
    }

    private static let readPause = Duration.milliseconds(200)

    /// - Returns: False if there is nothing more to do for this listener.
    private func deliver(
        _ page: HistoryPage, _ listener: EventListener, _ generation: UInt16
    ) async -> Bool {
        let channelCount = listener.memberships.count
        if let gap = gap(after: listener.feed.cursor, page, channelCount: channelCount) {
            reset(listener, gap, page)
            return isCurrent(listener, generation)
        }
        for event in page.events {
            guard let sink = listener.sink else { return false }
            if sink.queuedByteCount + event.bytes.count > limits.queueByteCountMax / 2 {
                // Others read while this client takes its time.
                readers.activeCount -= 1
                startReaders()
                let isOpen = await sink.waitUntilWritable()
                readers.activeCount += 1
                guard isOpen, isCurrent(listener, generation) else { return false }
            }
            guard write(event.bytes, to: listener) else { return false }
            listener.feed.advance(to: event.id)
        }
        listener.feed.advance(to: page.isPartial ? page.end : page.facts.last)
        return true
    }

    /// Tells that something may be missing, and goes on from now.
    func reset(_ listener: EventListener, _ gap: HistoryGap, _ page: HistoryPage) {
        listener.feed.rewind(to: page.facts.last)
        write(StreamNotice.reset(gap, id: page.facts.last), to: listener)
    }

    /// Delivers what was held while the history was read.
    ///
    /// - Returns: False if the history must be read once more.
    func goLive(_ listener: EventListener) -> Bool {
        guard let events = listener.feed.goLive() else { return false }
        for event in events where !write(event.bytes, to: listener) { return true }
        if listener.isDegraded {
            listener.isDegraded = false
            write(StreamNotice.recovered, to: listener)
        }
        return true
    }

    /// Reads the histories of channels after an id, merged.
    func page(
        _ channels: [String], after id: UInt64, deadline: Deadline
    ) async throws(RedisError) -> HistoryPage {
        let count = max(2, limits.pageCountMax / max(1, channels.count))
        let reply = try await redis.run(
            scripts.page, keys: channels.map { .text(ChannelScript.historyPrefix + $0) },
            arguments: [
                .text(String(id)), .number(Int64(count)), .number(Int64(limits.pageByteCountMax)),
            ], deadline: deadline)
        guard let page = HistoryPage(reply, channels: channels) else {
            throw .rejected(code: "UNEXPECTED")
        }
        return page
    }
}
