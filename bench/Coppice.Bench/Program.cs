using Coppice.Bench;

// Coppice.Bench --command COPPICE --work FOLDER --results FOLDER --docs FOLDER [--part NAME[,NAME]]... [--quick]
// Measures the parts that are named, or all, and writes the page from what is known of every part. bench/run calls it.
using var stop = new CancellationTokenSource();
Console.CancelKeyPress += (_, pressed) =>
{
    pressed.Cancel = true;
    stop.Cancel();
};
using var terminated = System.Runtime.InteropServices.PosixSignalRegistration.Create(
    System.Runtime.InteropServices.PosixSignal.SIGTERM, signal =>
    {
        signal.Cancel = true;
        stop.Cancel();
    });

try
{
    var settings = Settings.Parse(args);
    await new Run(settings, stop.Token).RunAsync();
    return 0;
}
// Whoever is interrupted says it in words of his own.
catch (Exception) when (stop.IsCancellationRequested)
{
    Console.Error.WriteLine("\nbench: interrupted");
    return 130;
}
catch (ArgumentException e)
{
    Console.Error.WriteLine($"bench: {e.Message}");
    return 2;
}
catch (Exception e)
{
    Console.Error.WriteLine($"\nbench: {e}");
    return 1;
}
