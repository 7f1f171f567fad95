using Coppice.Core;
using Xunit;

namespace Coppice.Contracts;

/// <summary>What every hypervisor shows of a guest's screens.</summary>
public abstract partial class HypervisorContract
{
    [Fact]
    public async Task A_picture_of_a_screen_is_a_new_file_that_is_nobody_elses_to_read()
    {
        await using var bed = Open();
        var definition = WithScreens(bed, VideoModel.Vga, VideoModel.Bochs);
        var process = await StartAsync(bed, definition);
        var folder = Directory.CreateTempSubdirectory("cp-");
        try
        {
            foreach (var screen in new[] { 0, 1 })
            {
                var path = $"{folder.FullName}/{screen}";
                await TakePictureAsync(bed, process, definition, screen, path);
                Assert.Equal("P6\n"u8.ToArray(), (await File.ReadAllBytesAsync(path))[..3]);
                Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(path));
                var taken = await Assert.ThrowsAsync<CoppiceException>(() => TakePictureAsync(bed, process, definition, screen, path));
                Assert.Equal(ErrorKind.Storage, taken.Kind);
            }

            var none = await Assert.ThrowsAsync<CoppiceException>(() => TakePictureAsync(bed, process, definition, 2, $"{folder.FullName}/2"));
            Assert.Equal(ErrorKind.NotFound, none.Kind);
            Assert.Contains("screen 2", none.Subject, StringComparison.Ordinal);
            await CountingAsync(bed, process);
            await bed.KillAsync(process);
            var off = await Assert.ThrowsAsync<CoppiceException>(() => TakePictureAsync(bed, process, definition, 0, $"{folder.FullName}/2"));
            Assert.Equal(ErrorKind.WrongState, off.Kind);
            Assert.False(File.Exists($"{folder.FullName}/2"));
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    [Fact]
    public async Task A_domain_without_a_graphics_card_has_no_screen()
    {
        await using var bed = Open();
        var process = await StartAsync(bed);
        foreach (var definition in new[] { bed.Definition, WithScreens(bed, VideoModel.None) })
        {
            var error = await Assert.ThrowsAsync<CoppiceException>(() => TakePictureAsync(bed, process, definition, 0, "/nowhere/picture"));
            Assert.Equal(ErrorKind.NotFound, error.Kind);
        }
    }

    private static Task TakePictureAsync(IHypervisorBed bed, ShortId process, DomainDefinition definition, int screen, string path) =>
        bed.Hypervisor.TakePictureAsync(bed.Folder, process, definition, screen, path, TestContext.Current.CancellationToken);

    private static DomainDefinition WithScreens(IHypervisorBed bed, params VideoModel[] models) => bed.Definition with
    {
        Devices =
        [
            .. bed.Definition.Devices,
            .. models.Select((model, i) => new VideoDevice { Model = model, Address = new PciAddress(0, 10 + i, 0) }),
        ],
    };
}
