import ClientTestSupport
import Runtime
import Testing

@Suite("EventLoop")
struct EventLoopTests {
    @Test("a task, its children and what follows a sleep stay on the loop")
    func tasksStayOnLoop() async {
        let stayed = await onLoop { loop in
            var seen = [loop.isCurrent]
            async let child = loop.isCurrent
            seen.append(await child)
            try? await loop.sleep(for: .milliseconds(2))
            seen.append(loop.isCurrent)
            await loop.yield()
            seen.append(loop.isCurrent)
            return seen
        }
        #expect(stayed == [true, true, true, true])
    }

    @Test("cancellation ends a sleep at once")
    func cancelledSleep() async {
        let elapsed = await onLoop { loop in
            let start = ContinuousClock.now
            let sleeper = loop.spawn { try? await loop.sleep(for: .seconds(60)) }
            try? await loop.sleep(for: .milliseconds(5))
            sleeper.cancel()
            await sleeper.value
            return ContinuousClock.now - start
        }
        #expect(elapsed < .seconds(30))
    }

    @Test("a task that yields for ever does not starve timers")
    func yieldingDoesNotStarve() async {
        let fired = await onLoop { loop in
            let busy = loop.spawn { while !Task.isCancelled { await loop.yield() } }
            try? await loop.sleep(for: .milliseconds(5))
            busy.cancel()
            await busy.value
            return true
        }
        #expect(fired)
    }
}
