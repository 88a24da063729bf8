internal import Live
internal import Packs
internal import Postgres
internal import Redis
package import Runtime

extension LiveLaneStore {
    /// Tells a page and moves Redis' cursor behind it: in one run of the script, or for a page that
    /// is too large for that in several, each of which says how far it got.
    package func apply(
        _ work: Work, _ permit: LanePermit, deadline: Deadline
    ) async throws(LaneError) -> [PoisonKey] {
        guard let next = permit.next, let before = stored else { throw .storeChanged }
        let pieces = LiveRuns(keys: work.keys, steps: work.steps, after: before.mark, limits).runs
        var values = work.configuration
        for (index, piece) in pieces.enumerated() {
            try permit.check()
            guard let current = stored else { throw .storeChanged }
            var after = LiveCursor(next)
            if index < pieces.count - 1 {
                // The goal is fixed, so that the same page is read again.
                after = LiveCursor(current.lane, mark: piece.mark)
                after.lane.goal = next.goal ?? next.done
            }
            try await run(piece, values, permit.revision, from: current, to: after, deadline)
            values = nil
            stored = after
        }
        return []
    }

    private func run(
        _ piece: LiveRuns.Run, _ values: [ConfigurationValue]?, _ revision: Int64,
        from: LiveCursor, to: LiveCursor, _ deadline: Deadline
    ) async throws(LaneError) {
        var arguments: [RedisArgument] = [.number(fence), .text(identity)]
        arguments += from.arguments + to.arguments
        arguments += [.number(revision), .number(Int64(piece.keys.count))]
        var words: [RedisArgument] = []
        if let values, let copies {
            let all = copies.arguments(values)
            words = Array(all[3...])
            arguments += [1] + all[..<3]
        } else {
            arguments += [0, "", "", ""]
        }
        arguments.append(.number(Int64(words.count)))
        arguments += piece.keys.map { .text($0) } + words
        for message in piece.messages {
            arguments += [.text(message.channel), .bytes(message.message)]
        }
        let keys: [RedisArgument] = [.text(laneKey), .text(copies?.revisionsKey ?? laneKey)]
        let reply: RedisReply
        do throws(LaneError) {
            reply = try await run(scripts.page, keys, arguments, deadline)
        } catch {
            // Whether it ran is asked when the lane connects again.
            stored = nil
            throw error
        }
        switch reply.string {
        case "done": return
        case "fence":
            stored = nil
            throw .leaseLost
        default:
            stored = nil
            throw .storeChanged
        }
    }

    // MARK: Everything of an entity

    /// Tells nothing: forgets all caches of the entity and writes the configuration anew.
    package func reconcile(
        _ entity: String?, _ permit: LanePermit, deadline: Deadline
    ) async throws(LaneError) {
        for cache in pack.live.caches where entity == nil || cache.entityPath == entity {
            // Who fills a cache just now may have read what is old: tokens go before values.
            try await forgetAll(CacheScripts.token(of: ""), cache.key, permit, deadline)
            try await forgetAll("", cache.key, permit, deadline)
        }
        if let rule = pack.live.configuration, let copies,
            entity.map({ rule.sources.contains($0) }) ?? true
        {
            let values = try await configurationValues(deadline)
            try permit.check()
            _ = try await run(
                scripts.configuration, [.text(copies.revisionsKey)],
                [.number(permit.revision)] + copies.arguments(values), deadline)
        }
    }

    /// In bounded steps: Redis serves others between them.
    private func forgetAll(
        _ prefix: String, _ pattern: KeyPattern, _ permit: LanePermit, _ deadline: Deadline
    ) async throws(LaneError) {
        var cursor = "0"
        repeat {
            try permit.check()
            let reply = try await command(
                [
                    "SCAN", cursor, "MATCH", prefix + pattern.glob, "COUNT",
                    String(limits.scanKeyCount),
                ], deadline)
            let parts = reply.array ?? []
            guard parts.count == 2, let next = parts[0].string else { throw .storeChanged }
            let keys = (parts[1].array ?? []).compactMap(\.string).filter { key in
                key.hasPrefix(prefix)
                    && pattern.values(of: String(key.dropFirst(prefix.count))) != nil
            }
            if !keys.isEmpty { _ = try await command(["DEL"] + keys, deadline) }
            cursor = next
        } while cursor != "0"
    }

    private func command(
        _ words: [String], _ deadline: Deadline
    ) async throws(LaneError) -> RedisReply {
        do throws(RedisError) {
            return try await redis.command(words, deadline: deadline)
        } catch {
            throw LaneError(error)
        }
    }
}
