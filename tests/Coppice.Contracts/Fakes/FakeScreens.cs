using System.Globalization;
using Coppice.Core;

namespace Coppice.Contracts.Fakes;

/// <summary>The screens of guests of a <see cref="FakeHost"/>: one pixel each, that shows what the guest counts.</summary>
internal static class FakeScreens
{
    public static void Draw(FakeHost host, ShortId process, DomainDefinition definition, int screen, string path)
    {
        var screens = definition.Devices.OfType<VideoDevice>().Count(v => v.Model is not VideoModel.None);
        if (screen < 0 || screen >= screens)
        {
            throw new CoppiceException(ErrorKind.NotFound, $"screen {screen} of domain '{definition.Name}'", "does not exist");
        }

        if (host.Find(process) is not { } found)
        {
            throw new CoppiceException(ErrorKind.WrongState, $"domain '{definition.Name}'", "is not running");
        }

        // A machine that is not real has no run folders.
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        try
        {
            using var file = new FileStream(path, new FileStreamOptions
            {
                Mode = FileMode.CreateNew, Access = FileAccess.Write, UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
            });
            file.Write("P6\n1 1\n255\n"u8);
            file.Write([.. (found.Counter % 1000).ToString("000", CultureInfo.InvariantCulture).Select(c => (byte)c)]);
        }
        catch (IOException e)
        {
            throw new CoppiceException(ErrorKind.Storage, path, e.Message, "", e);
        }
    }
}
