internal import CHiredis

/// How much of one reply hiredis has built, against the limits: it has none for depth or memory.
///
/// The reader's `privdata`; a reader works for one reply at a time.
struct RedisReplyBudget {
    let limits: RedisReplyLimits
    /// About the bytes that hiredis has allocated for the reply so far.
    var byteCount = 0

    /// False if the reply passes the limit with this.
    mutating func take(_ more: Int) -> Bool {
        guard more >= 0, more <= limits.byteCountMax - byteCount else { return false }
        byteCount += more
        return true
    }

    /// Makes `reader` ask a budget before it builds anything. The caller frees the budget after
    /// the reader.
    static func attach(
        to reader: UnsafeMutablePointer<redisReader>, _ limits: RedisReplyLimits
    ) -> UnsafeMutablePointer<RedisReplyBudget> {
        let budget = UnsafeMutablePointer<RedisReplyBudget>.allocate(capacity: 1)
        budget.initialize(to: RedisReplyBudget(limits: limits))
        reader.pointee.fn = boundedFunctions
        reader.pointee.privdata = UnsafeMutableRawPointer(budget)
        return budget
    }

    /// Bytes of a `redisReply` with what malloc adds.
    static let objectByteCount = 96
}

/// hiredis' own constructors: its table is not exported, but every reader refers to it.
private let standardFunctions: redisReplyObjectFunctions = {
    guard let reader = redisReaderCreate() else { fatalError("out of memory") }
    defer { redisReaderFree(reader) }
    return reader.pointee.fn.pointee
}()

nonisolated(unsafe) private let boundedFunctions = {
    let functions = UnsafeMutablePointer<redisReplyObjectFunctions>.allocate(capacity: 1)
    functions.initialize(to: standardFunctions)
    functions.pointee.createString = createString
    functions.pointee.createArray = createArray
    functions.pointee.createInteger = createInteger
    functions.pointee.createNil = createNil
    // RESP3 was not asked for.
    functions.pointee.createDouble = { _, _, _, _ in nil }
    functions.pointee.createBool = { _, _ in nil }
    return functions
}()

private func take(_ task: UnsafePointer<redisReadTask>?, _ byteCount: Int) -> Bool {
    guard let budget = task?.pointee.privdata?.assumingMemoryBound(to: RedisReplyBudget.self)
    else { return false }
    return budget.pointee.take(byteCount + RedisReplyBudget.objectByteCount)
}

private func createString(
    _ task: UnsafePointer<redisReadTask>?, _ text: UnsafeMutablePointer<CChar>?, _ length: Int
) -> UnsafeMutableRawPointer? {
    switch task?.pointee.type {
    case REDIS_REPLY_STRING, REDIS_REPLY_STATUS, REDIS_REPLY_ERROR: break
    default: return nil
    }
    return take(task, length) ? standardFunctions.createString(task, text, length) : nil
}

private func createArray(
    _ task: UnsafePointer<redisReadTask>?, _ elementCount: Int
) -> UnsafeMutableRawPointer? {
    guard let task, task.pointee.type == REDIS_REPLY_ARRAY,
        let budget = task.pointee.privdata?.assumingMemoryBound(to: RedisReplyBudget.self)
    else { return nil }
    var depth = 1
    var parent = task.pointee.parent
    while let above = parent {
        depth += 1
        parent = above.pointee.parent
    }
    let (byteCount, isTooLarge) = elementCount.multipliedReportingOverflow(
        by: MemoryLayout<UnsafeMutableRawPointer>.stride)
    guard depth <= budget.pointee.limits.depthMax, !isTooLarge, take(task, byteCount) else {
        return nil
    }
    return standardFunctions.createArray(task, elementCount)
}

private func createInteger(
    _ task: UnsafePointer<redisReadTask>?, _ number: Int64
) -> UnsafeMutableRawPointer? {
    take(task, 0) ? standardFunctions.createInteger(task, number) : nil
}

private func createNil(_ task: UnsafePointer<redisReadTask>?) -> UnsafeMutableRawPointer? {
    take(task, 0) ? standardFunctions.createNil(task) : nil
}
