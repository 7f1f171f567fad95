namespace Coppice.Files;

/// <summary>What is about to be done to a file or folder.</summary>
internal enum FileAct
{
    /// <summary>Bytes are written, to a new or an existing file.</summary>
    Write,

    /// <summary>A file is flushed.</summary>
    Flush,

    /// <summary>A file or folder takes the place of the path named.</summary>
    Rename,

    /// <summary>A folder is made.</summary>
    CreateFolder,

    /// <summary>A folder is flushed: what was made, renamed and removed in it is durable.</summary>
    FlushFolder,

    /// <summary>A file gets the path named as a second name.</summary>
    Link,

    /// <summary>A file gets the bytes of another one, which both share.</summary>
    Clone,

    /// <summary>A file or folder is removed.</summary>
    Remove,

    /// <summary>The time of a file is set.</summary>
    SetTime,
}

/// <summary>
/// Lets tests see every act before it happens: to let it fail, or to look at the disk as a crash would leave it.
/// </summary>
internal static class FileActs
{
    private static readonly AsyncLocal<Action<FileAct, string>?> s_observer = new();

    /// <summary>Called before every act of this flow of control.</summary>
    public static Action<FileAct, string>? Observer
    {
        get => s_observer.Value;
        set => s_observer.Value = value;
    }

    public static void Before(FileAct act, string path) => s_observer.Value?.Invoke(act, path);
}
