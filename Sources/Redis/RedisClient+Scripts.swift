package import Runtime

extension RedisClient {
    /// Runs a script and waits for its reply: by its digest, and where Redis does not know it yet
    /// once by its source. On the loop.
    ///
    /// - Throws: ``RedisError/rejected(code:)`` for an error reply. A command that fails within the
    ///   script keeps its own code.
    package func run(
        _ script: RedisScript, keys: [RedisArgument], arguments: [RedisArgument] = [],
        deadline: Deadline
    ) async throws(RedisError) -> RedisReply {
        loop.preconditionOnLoop()
        let command = script.command(keys, arguments)
        let call = RedisCall([command], script: script, deadline: deadline)
        return try await outcome(of: call).get()[0].result.get()
    }

    /// ``run(_:keys:arguments:deadline:)`` without a task, for the most frequent scripts.
    ///
    /// - Parameter completion: Called once, on the loop; before this returns if the command cannot
    ///   even be queued.
    /// - Returns: What cancels it.
    @discardableResult
    package func run(
        _ script: RedisScript, keys: [RedisArgument], arguments: [RedisArgument] = [],
        deadline: Deadline,
        completion: @escaping @Sendable (Result<RedisReply, RedisError>) -> Void
    ) -> RedisCall {
        loop.preconditionOnLoop()
        let call = RedisCall([script.command(keys, arguments)], script: script, deadline: deadline)
        call.wait(.one(completion))
        submit(call)
        return call
    }
}
