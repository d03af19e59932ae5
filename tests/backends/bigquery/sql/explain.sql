SELECT
  *
FROM `metaxy__definitions` AS `t0`
ORDER BY
  `t0`.`recorded_at` ASC NULLS LAST;

SELECT
  `t14`.`id`,
  `t14`.`etag`,
  `t14`.`size`,
  `t14`.`metaxy_provenance__default`,
  `t14`.`metaxy_data_version__default`,
  `t14`.`metaxy_commit`,
  `t14`.`metaxy_deleted`,
  `t7`.`metaxy_feature_version`,
  `t7`.`metaxy_created_at`,
  `t7`.`metaxy_materialization_id`
FROM (
  SELECT
    `t12`.`id`,
    `t12`.`etag`,
    `t12`.`size`,
    `t12`.`metaxy_provenance__default`,
    `t12`.`metaxy_data_version__default`,
    `t12`.`metaxy_commit`,
    `t12`.`metaxy_deleted`
  FROM (
    SELECT
      `t3`.`id`,
      `t3`.`etag`,
      `t3`.`size`,
      `t3`.`metaxy_provenance__default`,
      `t3`.`metaxy_data_version__default`,
      `t3`.`metaxy_commit`,
      `t3`.`metaxy_deleted`,
      `t11`.`id` AS `id__metaxy_newest`,
      `t11`.`metaxy_newest`
    FROM `copy` AS `t3`
    LEFT OUTER JOIN (
      SELECT
        `t9`.`id`,
        MAX(`t9`.`metaxy_commit`) AS `metaxy_newest`
      FROM (
        SELECT
          `t3`.`id`,
          `t3`.`etag`,
          `t3`.`size`,
          `t3`.`metaxy_provenance__default`,
          `t3`.`metaxy_data_version__default`,
          `t3`.`metaxy_commit`,
          `t3`.`metaxy_deleted`
        FROM `copy` AS `t3`
        WHERE
          EXISTS(
            SELECT
              1
            FROM `metaxy_record` AS `t4`
            WHERE
              `t3`.`id` = `t4`.`id`
          )
          AND EXISTS(
            SELECT
              1
            FROM (
              SELECT
                `t0`.`metaxy_commit`
              FROM `metaxy__commits` AS `t0`
              WHERE
                `t0`.`feature` = 'copy' AND `t0`.`superseded` > 0
            ) AS `t8`
            WHERE
              `t3`.`metaxy_commit` = `t8`.`metaxy_commit`
          )
      ) AS `t9`
      GROUP BY
        1
    ) AS `t11`
      ON `t3`.`id` = `t11`.`id`
    WHERE
      EXISTS(
        SELECT
          1
        FROM `metaxy_record` AS `t4`
        WHERE
          `t3`.`id` = `t4`.`id`
      )
  ) AS `t12`
  WHERE
    (
      `t12`.`metaxy_newest` IS NULL
    )
    OR (
      `t12`.`metaxy_newest` = `t12`.`metaxy_commit`
    )
) AS `t14`
LEFT OUTER JOIN (
  SELECT
    `t0`.`metaxy_commit`,
    `t0`.`feature_version` AS `metaxy_feature_version`,
    `t0`.`created_at` AS `metaxy_created_at`,
    `t0`.`materialization_id` AS `metaxy_materialization_id`
  FROM `metaxy__commits` AS `t0`
  WHERE
    `t0`.`feature` = 'copy'
) AS `t7`
  ON `t14`.`metaxy_commit` = `t7`.`metaxy_commit`;

SELECT
  `t2`.`id`,
  `t2`.`etag`,
  `t2`.`size`,
  `t2`.`metaxy_provenance__audio`,
  `t2`.`metaxy_data_version__audio`,
  `t2`.`metaxy_commit`,
  `t2`.`metaxy_deleted`
FROM `video` AS `t2`
WHERE
  EXISTS(
    SELECT
      1
    FROM (
      SELECT DISTINCT
        *
      FROM (
        SELECT
          `t2`.`id`
        FROM `video` AS `t2`
        WHERE
          EXISTS(
            SELECT
              1
            FROM (
              SELECT
                *
              FROM `metaxy_record` AS `t1`
            ) AS `t4`
            WHERE
              `t2`.`id` = `t4`.`id`
          )
      ) AS `t5`
    ) AS `t7`
    WHERE
      `t2`.`id` = `t7`.`id`
  );

SELECT
  *
FROM (
  SELECT
    COALESCE(`t23`.`id`, `t21`.`id`) AS `id`,
    `t23`.`metaxy_provenance__default`,
    NOT (
      `t23`.`metaxy_provenance__default` IS NOT DISTINCT FROM `t21`.`metaxy_provenance__default__stored`
    ) AS `metaxy_changed__default`,
    CASE
      WHEN `t23`.`metaxy_ready` IS NULL
      THEN 2
      WHEN NOT (
        `t23`.`metaxy_ready`
      )
      THEN 3
      WHEN `t21`.`metaxy_stored` IS NULL
      THEN 0
      WHEN NOT (
        `t23`.`metaxy_provenance__default` IS NOT DISTINCT FROM `t21`.`metaxy_provenance__default__stored`
      )
      OR `t21`.`metaxy_forced`
      THEN 1
      ELSE 4
    END AS `metaxy_status`
  FROM (
    SELECT
      *
    FROM (
      SELECT
        `t19`.`id`,
        CAST(REPLACE(
          REPLACE(
            REPLACE(
              REPLACE(
                REPLACE(
                  REPLACE(
                    REPLACE(
                      REPLACE(
                        REGEXP_REPLACE(
                          TO_HEX(
                            MD5(
                              CONCAT(
                                'v1|default|1|video|audio|',
                                COALESCE(CAST(`t19`.`metaxy_read__5__video__audio` AS STRING), '?')
                              )
                            )
                          ),
                          '^(..)(..)(..)(..)(..)(..)(..)(..).*$',
                          '0x\\8\\7\\6\\5\\4\\3\\2\\1'
                        ),
                        '0x8',
                        '0x0'
                      ),
                      '0x9',
                      '0x1'
                    ),
                    '0xa',
                    '0x2'
                  ),
                  '0xb',
                  '0x3'
                ),
                '0xc',
                '0x4'
              ),
              '0xd',
              '0x5'
            ),
            '0xe',
            '0x6'
          ),
          '0xf',
          '0x7'
        ) AS INT64) AS `metaxy_provenance__default`,
        `t19`.`metaxy_ready__video` AS `metaxy_ready`
      FROM (
        SELECT
          `t17`.`id`,
          COALESCE(`t17`.`metaxy_data_version__audio`, `t17`.`metaxy_provenance__audio`) AS `metaxy_read__5__video__audio`,
          TRUE AS `metaxy_present__video`,
          TRUE AS `metaxy_ready__video`
        FROM (
          SELECT
            `t5`.`id`,
            `t5`.`etag`,
            `t5`.`size`,
            `t5`.`metaxy_provenance__audio`,
            `t5`.`metaxy_data_version__audio`,
            `t5`.`metaxy_commit`,
            `t5`.`metaxy_deleted`,
            `t15`.`id` AS `id__metaxy_newest`,
            `t15`.`metaxy_newest`
          FROM `metaxy_related_0` AS `t5`
          LEFT OUTER JOIN (
            SELECT
              `t11`.`id`,
              MAX(`t11`.`metaxy_commit`) AS `metaxy_newest`
            FROM (
              SELECT
                `t5`.`id`,
                `t5`.`etag`,
                `t5`.`size`,
                `t5`.`metaxy_provenance__audio`,
                `t5`.`metaxy_data_version__audio`,
                `t5`.`metaxy_commit`,
                `t5`.`metaxy_deleted`
              FROM `metaxy_related_0` AS `t5`
              WHERE
                EXISTS(
                  SELECT
                    1
                  FROM (
                    SELECT
                      `t3`.`metaxy_commit`
                    FROM `metaxy__commits` AS `t3`
                    WHERE
                      `t3`.`feature` = 'video' AND `t3`.`superseded` > 0
                  ) AS `t9`
                  WHERE
                    `t5`.`metaxy_commit` = `t9`.`metaxy_commit`
                )
            ) AS `t11`
            GROUP BY
              1
          ) AS `t15`
            ON `t5`.`id` = `t15`.`id`
        ) AS `t17`
        WHERE
          (
            (
              `t17`.`metaxy_newest` IS NULL
            )
            OR (
              `t17`.`metaxy_newest` = `t17`.`metaxy_commit`
            )
          )
          AND NOT (
            `t17`.`metaxy_deleted`
          )
      ) AS `t19`
    ) AS `t23`
    WHERE
      EXISTS(
        SELECT
          1
        FROM `metaxy_record` AS `t4`
        WHERE
          `t23`.`id` = `t4`.`id`
      )
  ) AS t23
  FULL OUTER JOIN (
    SELECT
      `t18`.`id`,
      `t18`.`metaxy_provenance__default` AS `metaxy_provenance__default__stored`,
      TRUE AS `metaxy_stored`,
      FALSE AS `metaxy_forced`
    FROM (
      SELECT
        `t6`.`id`,
        `t6`.`etag`,
        `t6`.`size`,
        `t6`.`metaxy_provenance__default`,
        `t6`.`metaxy_data_version__default`,
        `t6`.`metaxy_commit`,
        `t6`.`metaxy_deleted`,
        `t16`.`id` AS `id__metaxy_newest`,
        `t16`.`metaxy_newest`
      FROM `copy` AS `t6`
      LEFT OUTER JOIN (
        SELECT
          `t12`.`id`,
          MAX(`t12`.`metaxy_commit`) AS `metaxy_newest`
        FROM (
          SELECT
            `t6`.`id`,
            `t6`.`etag`,
            `t6`.`size`,
            `t6`.`metaxy_provenance__default`,
            `t6`.`metaxy_data_version__default`,
            `t6`.`metaxy_commit`,
            `t6`.`metaxy_deleted`
          FROM `copy` AS `t6`
          WHERE
            EXISTS(
              SELECT
                1
              FROM `metaxy_record` AS `t4`
              WHERE
                `t6`.`id` = `t4`.`id`
            )
            AND EXISTS(
              SELECT
                1
              FROM (
                SELECT
                  `t3`.`metaxy_commit`
                FROM `metaxy__commits` AS `t3`
                WHERE
                  `t3`.`feature` = 'copy' AND `t3`.`superseded` > 0
              ) AS `t10`
              WHERE
                `t6`.`metaxy_commit` = `t10`.`metaxy_commit`
            )
        ) AS `t12`
        GROUP BY
          1
      ) AS `t16`
        ON `t6`.`id` = `t16`.`id`
      WHERE
        EXISTS(
          SELECT
            1
          FROM `metaxy_record` AS `t4`
          WHERE
            `t6`.`id` = `t4`.`id`
        )
    ) AS `t18`
    WHERE
      (
        (
          `t18`.`metaxy_newest` IS NULL
        )
        OR (
          `t18`.`metaxy_newest` = `t18`.`metaxy_commit`
        )
      )
      AND NOT (
        `t18`.`metaxy_deleted`
      )
  ) AS `t21`
    ON `t23`.`id` = `t21`.`id`
) AS `t24`
WHERE
  `t24`.`metaxy_status` <> 4;

WITH `t15` AS (
  SELECT
    `t4`.`id`,
    `t4`.`etag`,
    `t4`.`size`,
    `t4`.`metaxy_provenance__audio`,
    `t4`.`metaxy_data_version__audio`,
    `t4`.`metaxy_commit`,
    `t4`.`metaxy_deleted`,
    `t5`.`metaxy_moment`,
    `t14`.`id` AS `id__metaxy_newest`,
    `t14`.`metaxy_moment` AS `metaxy_moment__metaxy_newest`,
    `t14`.`metaxy_newest`
  FROM `metaxy_related_0` AS `t4`
  INNER JOIN `metaxy_moments` AS `t5`
    ON `t4`.`metaxy_commit` <= `t5`.`metaxy_moment`
  LEFT OUTER JOIN (
    SELECT
      `t12`.`id`,
      `t12`.`metaxy_moment`,
      MAX(`t12`.`metaxy_commit`) AS `metaxy_newest`
    FROM (
      SELECT
        `t4`.`id`,
        `t4`.`etag`,
        `t4`.`size`,
        `t4`.`metaxy_provenance__audio`,
        `t4`.`metaxy_data_version__audio`,
        `t4`.`metaxy_commit`,
        `t4`.`metaxy_deleted`,
        `t5`.`metaxy_moment`
      FROM `metaxy_related_0` AS `t4`
      INNER JOIN `metaxy_moments` AS `t5`
        ON `t4`.`metaxy_commit` <= `t5`.`metaxy_moment`
      WHERE
        EXISTS(
          SELECT
            1
          FROM (
            SELECT
              `t0`.`metaxy_commit`
            FROM `metaxy__commits` AS `t0`
            WHERE
              `t0`.`feature` = 'video' AND `t0`.`superseded` > 0
          ) AS `t11`
          WHERE
            `t4`.`metaxy_commit` = `t11`.`metaxy_commit`
        )
    ) AS `t12`
    GROUP BY
      1,
      2
  ) AS `t14`
    ON `t4`.`id` = `t14`.`id` AND `t5`.`metaxy_moment` = `t14`.`metaxy_moment`
)
SELECT
  `t19`.`id`,
  `t19`.`etag`,
  `t19`.`size`,
  `t19`.`metaxy_provenance__audio`,
  `t19`.`metaxy_data_version__audio`,
  `t19`.`metaxy_commit`,
  `t19`.`metaxy_deleted`,
  `t19`.`metaxy_moment`,
  COALESCE(`t23`.`metaxy_taken`, FALSE) AS `metaxy_taken`,
  `t10`.`metaxy_feature_version`,
  `t10`.`metaxy_created_at`,
  `t10`.`metaxy_materialization_id`
FROM (
  SELECT
    `t16`.`id`,
    `t16`.`etag`,
    `t16`.`size`,
    `t16`.`metaxy_provenance__audio`,
    `t16`.`metaxy_data_version__audio`,
    `t16`.`metaxy_commit`,
    `t16`.`metaxy_deleted`,
    `t16`.`metaxy_moment`
  FROM `t15` AS `t16`
  WHERE
    (
      `t16`.`metaxy_newest` IS NULL
    )
    OR (
      `t16`.`metaxy_newest` = `t16`.`metaxy_commit`
    )
) AS `t19`
LEFT OUTER JOIN (
  SELECT
    `t21`.`id`,
    `t21`.`metaxy_moment`,
    TRUE AS `metaxy_taken`
  FROM (
    SELECT
      `t20`.`id`,
      `t20`.`metaxy_moment`
    FROM (
      SELECT
        `t16`.`id`,
        `t16`.`etag`,
        `t16`.`size`,
        `t16`.`metaxy_provenance__audio`,
        `t16`.`metaxy_data_version__audio`,
        `t16`.`metaxy_commit`,
        `t16`.`metaxy_deleted`,
        `t16`.`metaxy_moment`
      FROM `t15` AS `t16`
      WHERE
        (
          (
            `t16`.`metaxy_newest` IS NULL
          )
          OR (
            `t16`.`metaxy_newest` = `t16`.`metaxy_commit`
          )
        )
        AND NOT (
          `t16`.`metaxy_deleted`
        )
    ) AS `t20`
    WHERE
      EXISTS(
        SELECT
          1
        FROM (
          SELECT
            *
          FROM `metaxy_record` AS `t3`
        ) AS `t9`
        WHERE
          `t20`.`id` = `t9`.`id`
      )
  ) AS `t21`
) AS `t23`
  ON `t19`.`id` = `t23`.`id` AND `t19`.`metaxy_moment` = `t23`.`metaxy_moment`
LEFT OUTER JOIN (
  SELECT
    `t0`.`metaxy_commit`,
    `t0`.`feature_version` AS `metaxy_feature_version`,
    `t0`.`created_at` AS `metaxy_created_at`,
    `t0`.`materialization_id` AS `metaxy_materialization_id`
  FROM `metaxy__commits` AS `t0`
  WHERE
    `t0`.`feature` = 'video'
) AS `t10`
  ON `t19`.`metaxy_commit` = `t10`.`metaxy_commit`;

SELECT DISTINCT
  `t0`.`metaxy_commit`
FROM `metaxy_related_0` AS `t0`;

SELECT
  `t15`.`metaxy_moment`,
  `t15`.`metaxy_provenance__default`
FROM (
  SELECT
    `t13`.`id`,
    `t13`.`metaxy_moment`,
    CAST(REPLACE(
      REPLACE(
        REPLACE(
          REPLACE(
            REPLACE(
              REPLACE(
                REPLACE(
                  REPLACE(
                    REGEXP_REPLACE(
                      TO_HEX(
                        MD5(
                          CONCAT(
                            'v1|default|1|video|audio|',
                            COALESCE(CAST(`t13`.`metaxy_read__5__video__audio` AS STRING), '?')
                          )
                        )
                      ),
                      '^(..)(..)(..)(..)(..)(..)(..)(..).*$',
                      '0x\\8\\7\\6\\5\\4\\3\\2\\1'
                    ),
                    '0x8',
                    '0x0'
                  ),
                  '0x9',
                  '0x1'
                ),
                '0xa',
                '0x2'
              ),
              '0xb',
              '0x3'
            ),
            '0xc',
            '0x4'
          ),
          '0xd',
          '0x5'
        ),
        '0xe',
        '0x6'
      ),
      '0xf',
      '0x7'
    ) AS INT64) AS `metaxy_provenance__default`,
    `t13`.`metaxy_ready__video` AS `metaxy_ready`
  FROM (
    SELECT
      `t12`.`id`,
      `t12`.`metaxy_moment`,
      COALESCE(`t12`.`metaxy_data_version__audio`, `t12`.`metaxy_provenance__audio`) AS `metaxy_read__5__video__audio`,
      TRUE AS `metaxy_present__video`,
      TRUE AS `metaxy_ready__video`
    FROM (
      SELECT
        `t5`.`id`,
        `t5`.`etag`,
        `t5`.`size`,
        `t5`.`metaxy_provenance__audio`,
        `t5`.`metaxy_data_version__audio`,
        `t5`.`metaxy_commit`,
        `t5`.`metaxy_deleted`,
        `t6`.`metaxy_moment`,
        `t11`.`id` AS `id__metaxy_newest`,
        `t11`.`metaxy_moment` AS `metaxy_moment__metaxy_newest`,
        `t11`.`metaxy_newest`
      FROM `metaxy_related_0` AS `t5`
      INNER JOIN `metaxy_moments` AS `t6`
        ON `t5`.`metaxy_commit` <= `t6`.`metaxy_moment`
      LEFT OUTER JOIN (
        SELECT
          `t9`.`id`,
          `t9`.`metaxy_moment`,
          MAX(`t9`.`metaxy_commit`) AS `metaxy_newest`
        FROM (
          SELECT
            `t5`.`id`,
            `t5`.`etag`,
            `t5`.`size`,
            `t5`.`metaxy_provenance__audio`,
            `t5`.`metaxy_data_version__audio`,
            `t5`.`metaxy_commit`,
            `t5`.`metaxy_deleted`,
            `t6`.`metaxy_moment`
          FROM `metaxy_related_0` AS `t5`
          INNER JOIN `metaxy_moments` AS `t6`
            ON `t5`.`metaxy_commit` <= `t6`.`metaxy_moment`
          WHERE
            EXISTS(
              SELECT
                1
              FROM (
                SELECT
                  `t3`.`metaxy_commit`
                FROM `metaxy__commits` AS `t3`
                WHERE
                  `t3`.`feature` = 'video' AND `t3`.`superseded` > 0
              ) AS `t8`
              WHERE
                `t5`.`metaxy_commit` = `t8`.`metaxy_commit`
            )
        ) AS `t9`
        GROUP BY
          1,
          2
      ) AS `t11`
        ON `t5`.`id` = `t11`.`id` AND `t6`.`metaxy_moment` = `t11`.`metaxy_moment`
    ) AS `t12`
    WHERE
      (
        (
          `t12`.`metaxy_newest` IS NULL
        )
        OR (
          `t12`.`metaxy_newest` = `t12`.`metaxy_commit`
        )
      )
      AND NOT (
        `t12`.`metaxy_deleted`
      )
  ) AS `t13`
) AS `t15`
WHERE
  EXISTS(
    SELECT
      1
    FROM `metaxy_record` AS `t4`
    WHERE
      `t15`.`id` = `t4`.`id`
  );

SELECT
  `t14`.`id`,
  `t14`.`etag`,
  `t14`.`size`,
  `t14`.`metaxy_provenance__audio`,
  `t14`.`metaxy_data_version__audio`,
  `t14`.`metaxy_commit`,
  `t14`.`metaxy_deleted`,
  `t7`.`metaxy_feature_version`,
  `t7`.`metaxy_created_at`,
  `t7`.`metaxy_materialization_id`
FROM (
  SELECT
    `t12`.`id`,
    `t12`.`etag`,
    `t12`.`size`,
    `t12`.`metaxy_provenance__audio`,
    `t12`.`metaxy_data_version__audio`,
    `t12`.`metaxy_commit`,
    `t12`.`metaxy_deleted`
  FROM (
    SELECT
      `t3`.`id`,
      `t3`.`etag`,
      `t3`.`size`,
      `t3`.`metaxy_provenance__audio`,
      `t3`.`metaxy_data_version__audio`,
      `t3`.`metaxy_commit`,
      `t3`.`metaxy_deleted`,
      `t11`.`id` AS `id__metaxy_newest`,
      `t11`.`metaxy_newest`
    FROM `video` AS `t3`
    LEFT OUTER JOIN (
      SELECT
        `t9`.`id`,
        MAX(`t9`.`metaxy_commit`) AS `metaxy_newest`
      FROM (
        SELECT
          `t3`.`id`,
          `t3`.`etag`,
          `t3`.`size`,
          `t3`.`metaxy_provenance__audio`,
          `t3`.`metaxy_data_version__audio`,
          `t3`.`metaxy_commit`,
          `t3`.`metaxy_deleted`
        FROM `video` AS `t3`
        WHERE
          EXISTS(
            SELECT
              1
            FROM `metaxy_record` AS `t4`
            WHERE
              `t3`.`id` = `t4`.`id`
          )
          AND EXISTS(
            SELECT
              1
            FROM (
              SELECT
                `t0`.`metaxy_commit`
              FROM `metaxy__commits` AS `t0`
              WHERE
                `t0`.`feature` = 'video' AND `t0`.`superseded` > 0
            ) AS `t8`
            WHERE
              `t3`.`metaxy_commit` = `t8`.`metaxy_commit`
          )
      ) AS `t9`
      GROUP BY
        1
    ) AS `t11`
      ON `t3`.`id` = `t11`.`id`
    WHERE
      EXISTS(
        SELECT
          1
        FROM `metaxy_record` AS `t4`
        WHERE
          `t3`.`id` = `t4`.`id`
      )
  ) AS `t12`
  WHERE
    (
      `t12`.`metaxy_newest` IS NULL
    )
    OR (
      `t12`.`metaxy_newest` = `t12`.`metaxy_commit`
    )
) AS `t14`
LEFT OUTER JOIN (
  SELECT
    `t0`.`metaxy_commit`,
    `t0`.`feature_version` AS `metaxy_feature_version`,
    `t0`.`created_at` AS `metaxy_created_at`,
    `t0`.`materialization_id` AS `metaxy_materialization_id`
  FROM `metaxy__commits` AS `t0`
  WHERE
    `t0`.`feature` = 'video'
) AS `t7`
  ON `t14`.`metaxy_commit` = `t7`.`metaxy_commit`;
