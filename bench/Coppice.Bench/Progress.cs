namespace Coppice.Bench;

/// <summary>What is being done, on standard error, for whoever waits.</summary>
internal static class Progress
{
    public static void Say(string what) => Console.Error.Write($"\nbench: {what} ");

    public static void Dot() => Console.Error.Write('.');
}
