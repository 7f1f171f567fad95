using Coppice.Core;
using Xunit;

namespace Coppice.Contracts;

/// <summary>The variables of a firmware, which begin as its template.</summary>
public abstract partial class StorageContract
{
    [Theory]
    [InlineData(ImageFormat.Raw)]
    [InlineData(ImageFormat.Qcow2)]
    public async Task The_variables_of_a_firmware_start_as_its_template_and_are_taken_back(ImageFormat format)
    {
        await using var bed = Open();
        var template = Assert.Single(await bed.Storage.DiscoverAsync(bed.NewDisk(), default));
        var variables = template with { Id = new ShortId("f0000000"), Path = bed.NewPath(), Format = format, Origin = LayerOrigin.Coppice };
        var step = bed.Storage.CreateVariables(variables, template.Path);
        await UndoTwiceAsync(bed, step);
        Assert.Equal(StepOutcome.NotDone, await bed.Storage.ProbeAsync(step, Context(bed), default));
        await ApplyAsync(bed, step);
        Assert.Equal(StepOutcome.Done, await bed.Storage.ProbeAsync(step, Context(bed), default));
        await bed.Storage.CheckAsync([variables], default);
        Assert.True((await bed.Storage.ObserveAsync(bed.Folder, variables, default)).Exists);
        var error = await Assert.ThrowsAsync<CoppiceException>(() => ApplyAsync(bed, step));
        Assert.Equal(ErrorKind.AlreadyExists, error.Kind);
        await UndoTwiceAsync(bed, step);
        Assert.False(bed.Exists(variables.Path));
        Assert.True(bed.Exists(template.Path));
    }

    [Fact]
    public async Task Variables_that_were_written_are_not_taken_back()
    {
        await using var bed = Open();
        var template = Assert.Single(await bed.Storage.DiscoverAsync(bed.NewDisk(), default));
        var variables = template with { Id = new ShortId("f0000000"), Path = bed.NewPath(), Format = ImageFormat.Qcow2 };
        var step = bed.Storage.CreateVariables(variables, template.Path);
        await ApplyAsync(bed, step);
        bed.WriteInto(variables, template);
        await UndoTwiceAsync(bed, step);
        Assert.True(bed.Exists(variables.Path));
        Assert.NotEqual(StepOutcome.Done, await bed.Storage.ProbeAsync(step, Context(bed), default));
    }
}
