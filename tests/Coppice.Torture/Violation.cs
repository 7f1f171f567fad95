namespace Coppice.Torture;

/// <summary>What must never be.</summary>
internal enum Harm
{
    /// <summary>Something that could be returned to, or that the guest was told is safe, is gone or has changed.</summary>
    Lost,

    /// <summary>A catalog, an image or a guest's memory is broken.</summary>
    Corrupt,

    /// <summary>A guest that ran stands still.</summary>
    LeftPaused,

    /// <summary>A file, a process or a journal belongs to nothing, or one that is named is missing.</summary>
    Orphan,

    /// <summary>Anything else that is not as it must be.</summary>
    Other,
}

/// <summary>Something that must never be has happened.</summary>
internal sealed class Violation(Harm harm, string message, Exception? cause = null) : Exception(message, cause)
{
    public Harm Harm => harm;

    /// <summary>Whatever fails in here is a harm of this kind.</summary>
    public static void Check(Harm harm, Action check)
    {
        try
        {
            check();
        }
        catch (Exception e) when (e is not Violation)
        {
            throw new Violation(harm, e.Message, e);
        }
    }

    /// <summary>Likewise.</summary>
    public static async Task<T> CheckAsync<T>(Harm harm, Func<Task<T>> check)
    {
        try
        {
            return await check();
        }
        catch (Exception e) when (e is not Violation)
        {
            throw new Violation(harm, e.Message, e);
        }
    }

    /// <summary>Likewise.</summary>
    public static Task CheckAsync(Harm harm, Func<Task> check) => CheckAsync(harm, async () =>
    {
        await check();
        return true;
    });
}
