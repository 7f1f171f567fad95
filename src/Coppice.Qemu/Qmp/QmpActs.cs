namespace Coppice.Qemu.Qmp;

/// <summary>Lets tests see every command before it is sent: to let it fail, as if QEMU had refused it.</summary>
internal static class QmpActs
{
    private static readonly AsyncLocal<Action<string>?> s_observer = new();

    /// <summary>Called with the name of every command of this flow of control.</summary>
    public static Action<string>? Observer
    {
        get => s_observer.Value;
        set => s_observer.Value = value;
    }

    public static void Before(string command) => s_observer.Value?.Invoke(command);
}
